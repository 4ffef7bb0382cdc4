import { formatEndpoint } from '../../src/core/endpoint.ts'
import { is } from './check-connections.ts'
import type { Evidence, LifeEvidence } from './evidence.ts'
import type { LogRecord } from './log-reader.ts'
import type { Accepted } from './network.ts'

/** Each client that the node was given ended in exactly one of refused, or opened and closed: by name, else by count. */
export function checkRefusals(evidence: Evidence): string[] {
  return evidence.lives.flatMap((each) => (each.run === null ? [] : checkLife(evidence, each, each.run)))
}

function checkLife({ accepted, log }: Evidence, { ending, life }: LifeEvidence, run: string): string[] {
  const problems: string[] = []
  const clients = accepted.filter(({ socket }) => socket.life === life)
  const left = new Map(clients.flatMap((each) => (each.socket.remote === null ? [] : [[formatEndpoint(each.socket.remote), each] as const])))
  const counted: LogRecord[] = []
  let nameless = clients.length - left.size
  for (const record of log.connections) {
    if (record.json.run !== run) continue
    const { client, client_network } = record.json.data
    if (is(record, 'refused') && client === null && (client_network !== null || record.json.data.after_ms === null)) counted.push(record)
    else if (is(record, 'refused') && client === null) nameless -= 1
    else if ((is(record, 'refused') || is(record, 'opened')) && !left.delete(formatEndpoint(client))) {
      problems.push(`client ${formatEndpoint(client)} of run ${run} has two ends, or never came`)
    }
  }
  problems.push(...compare(counted, [...left.values()], nameless, ending === 'stopped').map((problem) => `run ${run}: ${problem}`))
  return problems
}

/** Those without a record of their own, by network, against the records with counts. */
function compare(counted: readonly LogRecord[], left: readonly Accepted[], nameless: number, complete: boolean): string[] {
  const wanted = new Map<string, number>([['null', nameless]])
  for (const { socket } of left) add(wanted, socket.remote!.ip.replace(/\d+$/, '0/24'), 1)
  const found = new Map<string, number>()
  for (const { json } of counted) add(found, String(json.data.client_network), json.data.count)
  const problems: string[] = []
  for (const network of new Set([...wanted.keys(), ...found.keys()])) {
    const [want, have] = [wanted.get(network) ?? 0, found.get(network) ?? 0]
    // A crash loses what was counted and not written, never the other way round.
    if (complete ? want !== have : have > want) problems.push(`${have} clients of ${network} are counted as refused, ${want} came to no other end`)
  }
  return problems
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}
