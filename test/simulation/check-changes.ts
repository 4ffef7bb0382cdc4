import { formatEndpoint } from '../../src/core/endpoint.ts'
import { is } from './check-connections.ts'
import type { CommandEvidence, Evidence } from './evidence.ts'
import { firstPrevhash, type LogRecord } from './log-reader.ts'

/** Changes: which took effect, by the rule alone, against what was answered and where clients went afterwards. */
export function checkChanges(evidence: Evidence): string[] {
  const effective = effectiveOf(evidence.log.control)
  return [...checkAnswers(evidence, effective), ...checkKeys(effective), ...checkRouting(evidence, effective)]
}

/** The rule, once more and by nothing of ours: a change counts if it names the next revision and the hash of the last one. */
export function effectiveOf(control: readonly LogRecord[]): LogRecord[] {
  const effective: LogRecord[] = []
  let basis = firstPrevhash
  for (const record of control) {
    if (record.json.revision !== effective.length + 1 || record.json.basis !== basis) continue
    effective.push(record)
    basis = record.hash
  }
  return effective
}

function checkAnswers({ commands, lives, log }: Evidence, effective: readonly LogRecord[]): string[] {
  const problems: string[] = []
  const inForce = new Set(effective.map(({ json }) => json.id))
  for (const command of commands) {
    const { answer, life, operation, ticket } = command
    if (answer === null) continue
    const say = (what: string): void => void problems.push(`${operation} ${ticket} was answered ${answer.kind}, ${what}`)
    const own = log.control.filter(({ json }) => json.data.change?.ticket === ticket)
    const stopped = lives.some((each) => each.life === life && each.ending === 'stopped')
    if (answer.kind === 'effective') {
      const record = effective[answer.revision - 1]
      if (!inForce.has(answer.id)) say('and is not in force')
      else if (record?.json.id !== answer.id) say(`and is not revision ${answer.revision}`)
    } else if (answer.kind === 'outcome_unknown') {
      if (stopped && !own.some(({ json }) => json.id === answer.id)) say('and never appeared although its process ended in order')
    } else if (answer.kind === 'repeated') {
      if (effective[answer.first.revision - 1]?.json.id !== answer.first.id) say('of a change that is not in force')
      if (own.some(({ json }) => inForce.has(json.id))) say('and took effect all the same')
    } else if (own.some(({ json }) => inForce.has(json.id))) say('and is in force')
  }
  return problems
}

function checkKeys(effective: readonly LogRecord[]): string[] {
  const problems: string[] = []
  const keys = new Set<string>()
  for (const { json } of effective) {
    const key = json.data.idempotency?.key
    if (key === undefined) continue
    if (keys.has(key)) problems.push(`the request with key ${key} took effect twice`)
    keys.add(key)
  }
  return problems
}

/** Revisions in which a backend takes no new connections, and from when on everybody had to know. */
function checkRouting(evidence: Evidence, effective: readonly LogRecord[]): string[] {
  const problems: string[] = []
  const states = backendStates(effective)
  const answered = evidence.commands.filter((each) => each.answer?.kind === 'effective')
  const arrivals = new Map(evidence.accepted.flatMap(({ atMs, socket }) => (socket.remote ? [[formatEndpoint(socket.remote), atMs] as const] : [])))
  for (const record of evidence.log.connections) {
    if (!is(record, 'opened')) continue
    const { backend, client, connection_id, pool, revision } = record.json.data
    if (states[revision]?.get(`${pool} ${backend}`) !== 'active') {
      problems.push(`${connection_id} went to ${backend} of ${pool}, which took none at revision ${revision}`)
    }
    const known = latestBefore(answered, arrivals.get(formatEndpoint(client)) ?? 0)
    if (revision < known) problems.push(`${connection_id} was routed by revision ${revision} after ${known} was answered`)
  }
  return problems
}

function latestBefore(answered: readonly CommandEvidence[], arrivedMs: number): number {
  let latest = 0
  for (const { answer, answeredMs } of answered) {
    if (answer?.kind === 'effective' && answeredMs < arrivedMs) latest = Math.max(latest, answer.revision)
  }
  return latest
}

type BackendStates = ReadonlyMap<string, 'active' | 'draining'>

/** By revision. */
function backendStates(effective: readonly LogRecord[]): BackendStates[] {
  const states: BackendStates[] = [new Map()]
  for (const { json } of effective) {
    const next = new Map(states.at(-1))
    const { id, name, pool } = json.data
    switch (json.type) {
      case 'dev.waybill.pool.created.v1':
        for (const backend of json.data.backends) next.set(`${name} ${backend.id}`, 'active')
        break
      case 'dev.waybill.pool.removed.v1':
        for (const key of next.keys()) if (key.startsWith(`${name} `)) next.delete(key)
        break
      case 'dev.waybill.backend.added.v1':
      case 'dev.waybill.backend.resumed.v1':
        next.set(`${pool} ${id}`, 'active')
        break
      case 'dev.waybill.backend.drained.v1':
        next.set(`${pool} ${id}`, 'draining')
        break
      case 'dev.waybill.backend.removed.v1':
        next.delete(`${pool} ${id}`)
        break
    }
    states.push(next)
  }
  return states
}
