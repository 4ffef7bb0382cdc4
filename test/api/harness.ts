
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { Logger } from '../../src/core/logger.ts'
import type { Tracing } from '../../src/core/tracing.ts'
import { Applier } from '../../src/commands/applier.ts'
import { Desk } from '../../src/commands/desk.ts'
import { SettingsInForce } from '../../src/config/settings-in-force.ts'
import type { Rules } from '../../src/commands/decision.ts'
import { Live } from '../../src/live/live.ts'
import { configurationAt } from '../../src/live/time-travel.ts'
import { ClusterView } from '../../src/live/cluster-view.ts'
import type { ListenerNow, NotReady, OpenConnectionNow, OpenCount, OpenCounters } from '../../src/live/node-view.ts'
import { Nodes } from '../../src/live/nodes.ts'
import { OwnNode } from '../../src/live/own-node.ts'
import { isClusterLog } from '../../src/log/cluster-log.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { buildApi } from '../../src/api/app.ts'
import type { Expose } from '../../src/api/metrics.ts'
import type { Api } from '../../src/api/context.ts'
import { readRecord } from '../../events/catalog.ts'
import type { Stream } from '../../events/define.ts'
import type { Actor } from '../../events/values.ts'
import { expect } from 'vitest'

/** A whole API on a memory log, with the counters and readiness of a node that the test plays. */

export interface Harness extends AsyncDisposable {
  readonly app: Api
  readonly log: MemoryLog
  readonly live: Live
  readonly desk: Desk
  readonly open: Map<string, OpenCount>
  readonly down: Map<string, string>
  /** By id. Ending one takes it out, and puts who did it into `endedBy`. */
  readonly connections: Map<string, OpenConnectionNow>
  readonly endedBy: Actor[]
  readonly listeners: ListenerNow[]
  readonly notReady: NotReady[]
  readonly violations: unknown[]
  readonly lines: string[]
  /** Every record of a stream, parsed. */
  records(stream: Stream): Promise<readonly StoredEvent[]>
  call(method: Method, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answered>
  post(url: string, body: unknown, headers?: Record<string, string>): Promise<Answered>
  get(url: string, headers?: Record<string, string>): Promise<Answered>
}

type Method = 'DELETE' | 'GET' | 'PATCH' | 'POST' | 'PUT'

export interface StoredEvent {
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly revision?: number
  readonly data: Record<string, unknown>
}

export interface Answered {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
  // A test looks into answers of every shape; the schemas of the API are what is under test.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

export const bound = { ip: '127.0.0.1', port: 4000 }
const ownHost = { host: 'localhost:4000' }

export const rules: Rules = {
  autoDefaultRoute: true,
  api: bound,
  ops: null,
  sharedListen: { ip: '::', port: 8443 },
}

export interface HarnessOptions {
  readonly clock?: Clock
  readonly appendTimeoutMs?: number
  readonly clockOff?: () => string | null
  /** One of a cluster, for an API that shows other nodes. */
  readonly log?: MemoryLog
  readonly rules?: Rules
  /** None: they can't be collected. */
  readonly metrics?: Expose
  readonly tracing?: Tracing
}

export async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const clock = options.clock ?? systemClock
  const appendTimeoutMs = options.appendTimeoutMs ?? 5_000
  const makeId = idMaker(clock, systemRandom)
  const log = options.log ?? new MemoryLog({ clock, makeId })
  const live = new Live(log, () => {})
  await live.replay()
  live.follow()
  const clockOff = options.clockOff ?? (() => null)
  const desk = new Desk({ live, log, clock, clockOff, makeId, rules: options.rules ?? rules, appendTimeoutMs })
  const applier = new Applier({ desk, live, clock, makeId, rules: options.rules ?? rules })
  const inForce = new SettingsInForce({}, null, {})
  const open = new Map<string, OpenCount>()
  const down = new Map<string, string>()
  const connections = new Map<string, OpenConnectionNow>()
  const endedBy: Actor[] = []
  const listeners: ListenerNow[] = []
  const notReady: NotReady[] = []
  const violations: unknown[] = []
  const lines: string[] = []
  const shared = isClusterLog(log) ? log : null
  const counters = openCounters(open, down, connections)
  const skewMs = (): number | null => shared?.brokerClock.skewMs ?? null
  const own = new OwnNode({ clock, live, open: counters, skewMs, version: '0.0.0-test', writer: log.writer })
  const view = shared === null ? null : new ClusterView({ clock, file: null, log: shared, logger: collect(lines), onTakenOver: () => {} })
  await view?.start()
  const app = await buildApi({
    live, applier, desk, inForce, log, clock, makeId, bound, appendTimeoutMs,
    node: log.writer.node,
    logger: collect(lines),
    life: { notReady: () => notReady },
    metrics: async (accept) => options.metrics?.(accept) ?? null,
    connections: {
      openConnections: (after) => [...connections.values()].filter(({ opened }) => after === null || opened.connection_id > after),
      openConnection: (id) => connections.get(id) ?? null,
      endConnection: (id, actor) => {
        endedBy.push(actor)
        return connections.delete(id)
      },
    },
    listeners: { listeners },
    stateAt: (moment) => configurationAt(log, moment),
    open: counters,
    nodes: new Nodes({ own, view }),
    cluster: shared === null || view === null ? null : { log: shared, view },
    ...(options.tracing === undefined ? {} : { tracing: options.tracing }),
    onViolation: (error) => violations.push(error),
  })
  const call = async (method: Method, url: string, headers: Record<string, string>, payload?: string) =>
    answered(await app.inject({ method, url, headers: { ...ownHost, ...headers }, ...(payload === undefined ? {} : { payload }) }))
  return {
    app, log, live, desk, connections, endedBy, listeners, open, down, notReady, violations, lines,
    records: async (stream) => {
      const found: StoredEvent[] = []
      for await (const batch of log.read(stream, { after: null, follow: false })) {
        for (const { bytes } of batch) found.push(storedEvent(Buffer.from(bytes).toString()))
      }
      return found
    },
    call: (method, url, body, headers = {}) => call(method, url, headers, body === undefined ? undefined : JSON.stringify(body)),
    post: (url, body, headers = {}) => call('POST', url, headers, typeof body === 'string' ? body : JSON.stringify(body)),
    get: (url, headers = {}) => call('GET', url, headers),
    [Symbol.asyncDispose]: async () => {
      await app.close()
      await view?.stop()
      await live.stop()
      await log.close(1_000)
    },
  }
}

function openCounters(
  open: ReadonlyMap<string, OpenCount>,
  down: ReadonlyMap<string, string>,
  connections: ReadonlyMap<string, OpenConnectionNow>,
): OpenCounters {
  const none: OpenCount = { connections: 0, bytesToBackend: 0, bytesToClient: 0 }
  return {
    openInAll: () => {
      const [oldest] = connections.values()
      return { connections: sum([...open.values()]).connections, oldestAt: oldest?.openedAt ?? null }
    },
    openOfPool: (pool) => sum([...open].flatMap(([key, count]) => (key.startsWith(`${pool} `) ? [count] : []))),
    openByBackend: (pool, backend) => open.get(`${pool} ${backend}`) ?? none,
    healthOf: (pool, backend) => {
      const code = down.get(`${pool} ${backend}`) ?? null
      return code === null ? { state: 'new', code, checkedAt: null } : { state: 'down', code, checkedAt: '2026-11-24T08:00:00.000Z' }
    },
  }
}

function sum(counts: readonly OpenCount[]): OpenCount {
  const of = (field: keyof OpenCount): number => counts.reduce((total, count) => total + count[field], 0)
  return { connections: of('connections'), bytesToBackend: of('bytesToBackend'), bytesToClient: of('bytesToClient') }
}

/** Every record that the API causes is one that the catalog knows, in canonical bytes (RFC 8785). */
function storedEvent(text: string): StoredEvent {
  const event = JSON.parse(text) as StoredEvent
  if (!event.type.includes('.imagined.')) {
    expect(readRecord(text)).toMatchObject({ kind: 'event' })
    expect(text).toBe(JSON.stringify(event, (_key, value: unknown) => sorted(value)))
  }
  return event
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}

function answered({ statusCode, headers, body }: { statusCode: number; headers: Record<string, unknown>; body: string }): Answered {
  let json: unknown = null
  try {
    json = JSON.parse(body)
  } catch {
    // Not every answer is one JSON text.
  }
  return { status: statusCode, headers, body, json }
}

function collect(lines: string[]): Logger {
  const take = (sentence: string): void => void lines.push(sentence)
  return { debug: take, info: take, warn: take, error: take }
}


