import { readRecord, type WaybillEvent } from '../../../events/catalog.ts'
import type { Stream } from '../../../events/define.ts'
import { differenceLine } from '../differences.ts'
import type { Comparison } from '../diff.ts'
import type { PastConfiguration } from '../folder-configuration.ts'
import { recordLine } from '../record-line.ts'
import type { DemoBackend } from './backend.ts'
import { requestThrough } from './client.ts'

/** What the demonstration does, step by step, each with its reason: a tour for whoever runs the program first. */

export interface Stage {
  /** Where clients connect. */
  readonly port: number
  readonly backends: readonly [DemoBackend, DemoBackend]
  readonly serverName: string
  readonly say: (line?: string) => void
  /** One call of the REST API; its answer. */
  readonly call: (method: string, path: string, body?: object) => Promise<unknown>
  /** Every record of a stream so far, oldest first. */
  readonly records: (stream: Stream) => Promise<readonly string[]>
  readonly pause: (ms: number) => Promise<void>
  /** Whether the visitor has asked to end. */
  readonly isOver: () => boolean
}

const pool = 'demo'
const requests = 6
const requestsAfterFailure = 4
const lookAgainMs = 20
const looksMax = 100

/** False when it was ended before its end. */
export async function tell(stage: Stage): Promise<boolean> {
  for (const chapter of [createPool, sendRequests, failOver, lookBack, showRecords, showStatistics]) {
    if (stage.isOver()) return false
    await chapter(stage)
    stage.say()
  }
  return true
}

async function createPool({ backends, call, say, serverName }: Stage): Promise<void> {
  const body = {
    name: pool,
    algorithm: 'round_robin',
    server_names: [serverName],
    backends: backends.map(({ port }) => ({ url: `https://127.0.0.1:${port}` })),
    change: { ticket: 'DEMO-1', reason: 'first pool' },
  }
  say('1. Create a pool with both backends, by the REST API:')
  say(`   POST /api/pools ${JSON.stringify(body)}`)
  const created = (await call('POST', '/api/pools', body)) as { readonly revision: number }
  say(`   It is on record as revision ${created.revision}, and in force.`)
}

async function sendRequests(stage: Stage): Promise<void> {
  stage.say(`2. Send ${requests} HTTPS requests through the proxy, trusting the backends' own certificates and nobody else:`)
  await sendAll(stage, requests)
  stage.say('   Each was encrypted from this client to the backend: the proxy read the server name and passed the bytes on.')
}

async function failOver(stage: Stage): Promise<void> {
  const [first, second] = stage.backends
  await first.stop()
  stage.say(`3. Stop backend ${first.name}, and send ${requestsAfterFailure} more:`)
  await sendAll(stage, requestsAfterFailure)
  const [attempt] = (await finishedConnections(stage, requests + requestsAfterFailure)).flatMap((event) =>
    event.type === 'dev.waybill.connection.opened.v1' ? event.data.attempts : [],
  )
  stage.say(
    attempt === undefined
      ? `   A health check had seen it first, so all went to backend ${second.name}.`
      : `   No client noticed. On record: ${attempt.backend} failed with ${attempt.code}, so backend ${second.name} was dialled instead.`,
  )
}

async function lookBack({ backends: [first], call, say }: Stage): Promise<void> {
  const id = `127.0.0.1:${first.port}`
  say(`4. Drain backend ${first.name}, then look up what was different before:`)
  const path = `/api/pools/${pool}/backends/${encodeURIComponent(id)}/drain`
  await call('POST', path, { change: { ticket: 'DEMO-2', reason: 'it is dead' } })
  const { differences } = (await call('GET', '/api/diff?from=1&to=2')) as Comparison
  for (const difference of differences) say(`   GET /api/diff?from=1&to=2: ${differenceLine(difference)}`)
  const { configuration, moment } = (await call('GET', '/api/state?revision=1')) as PastConfiguration
  const drained = configuration.pools[0]?.backends.find((backend) => backend.id === id)
  say(`   GET /api/state?revision=1: in force since ${moment.time ?? 'never'}, and backend ${first.name} was ${drained?.state ?? 'unknown'}.`)
}

async function showRecords({ records, say }: Stage): Promise<void> {
  say('5. What is on record of the changes, and of the last connection:')
  const control = await records('control')
  const connections = await records('connections')
  for (const record of [...control, ...connections.slice(-2)]) say(`   ${recordLine(record)}`)
  say(`   ${control.length} changes and ${connections.length} records of connections, each with the hash of the one before it.`)
}

async function showStatistics({ backends, call, say }: Stage): Promise<void> {
  interface Shown {
    readonly backends: readonly {
      readonly bytes_to_client: number
      readonly id: string
      readonly state: string
      readonly total_connections: number
    }[]
  }
  const shown = (await call('GET', `/api/pools/${pool}`)) as Shown
  say('6. The statistics are folded out of the same records:')
  for (const { name, port } of backends) {
    const backend = shown.backends.find(({ id }) => id.endsWith(`:${port}`))!
    say(`   Backend ${name} (${backend.state}): ${backend.total_connections} connections, ${backend.bytes_to_client} bytes to clients`)
  }
}

async function sendAll({ backends, port, say, serverName }: Stage, count: number): Promise<void> {
  const trusted = backends.map(({ certificate }) => certificate)
  for (let sent = 1; sent <= count; sent += 1) {
    const { protocol, text } = await requestThrough(port, serverName, trusted)
    say(`   ${text} (${protocol})`)
  }
}

/** A client knows that it is done a moment before the proxy does: every record of so many connections, when all are closed. */
async function finishedConnections({ pause, records }: Stage, count: number): Promise<WaybillEvent[]> {
  for (let attempt = 1; ; attempt += 1) {
    const found = (await records('connections')).flatMap((record) => {
      const reading = readRecord(record)
      return reading.kind === 'event' ? [reading.event] : []
    })
    const closed = found.filter(({ type }) => type === 'dev.waybill.connection.closed.v1').length
    if (closed >= count || attempt === looksMax) return found
    await pause(lookAgainMs)
  }
}
