import type { z } from 'zod'
import { ListenerChanged } from '../../events/listener.ts'
import { PoolCreated } from '../../events/pool.ts'
import { readRecord, type WaybillEvent } from '../../events/catalog.ts'
import type { EventDefinition, Stream } from '../../events/define.ts'
import { exampleActor, exampleOrigin, type ListenerAnswer, type ListenerCase, type MinTlsVersion } from '../../events/values.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Network, Socket } from '../../src/core/network.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { Drafts } from '../../src/log/drafts.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import { Proxy, type ProxySettings } from '../../src/proxy/proxy.ts'
import { helloRecordsMax } from '../../src/proxy/hello/parser.ts'
import { canonicalJson } from './canonical.ts'
import { SocketEngine, type EngineTimeouts } from '../../src/proxy/sockets/socket-engine.ts'

/** The whole data path on real sockets and a log in memory, in this process: what most data path tests need. */

export interface RigOptions {
  readonly settings?: Partial<ProxySettings>
  readonly timeouts?: Partial<EngineTimeouts>
  readonly log?: EventLog
  readonly network?: Network
  /** Without them (the default) a backend sees clients only, and its health changes by dials only. */
  readonly healthChecks?: boolean
  /** What has to hold in the end of every test does not: it ends in the middle of something on purpose. */
  readonly endsUnfinished?: boolean
}

export interface RigPool {
  readonly name?: string
  readonly backends: readonly { readonly host?: string; readonly port: number; readonly weight?: number }[]
  readonly serverNames?: readonly string[]
  readonly defaultRoute?: boolean
  readonly listen?: string | null
  readonly algorithm?: 'least_connections' | 'random' | 'round_robin'
  /** None unless given. */
  readonly drainTimeoutMs?: number
  readonly allowPlaintext?: boolean
  readonly minTlsVersion?: MinTlsVersion
  readonly rejectEch?: boolean
  readonly healthCheckIntervalMs?: number
}

export interface Rig extends AsyncDisposable {
  readonly log: EventLog
  readonly live: Live
  readonly proxy: Proxy
  readonly engine: SocketEngine
  readonly port: number
  portOf(listener: string): number
  addPool(pool: RigPool): Promise<void>
  /** What a listener does in these cases from here on. */
  setListener(listener: string, answers: { readonly [Case in ListenerCase]?: ListenerAnswer }): Promise<void>
  /** Any other change of the configuration, with this test as its author. */
  change<Type extends string, Data extends z.ZodType>(
    definition: EventDefinition<Type, Data>, subject: string, data: Record<string, unknown>,
  ): Promise<void>
  /** The same, but somebody else was first: the record is there and void. */
  lose<Type extends string, Data extends z.ZodType>(
    definition: EventDefinition<Type, Data>, subject: string, data: Record<string, unknown>,
  ): Promise<void>
  /** Every record of a stream so far, read back from the log. */
  records(stream: Stream): Promise<WaybillEvent[]>
  /** Waits until the stream holds a record that `matches`. */
  untilRecord<Type extends WaybillEvent['type']>(
    type: Type,
    matches?: (event: Extract<WaybillEvent, { type: Type }>) => boolean,
  ): Promise<Extract<WaybillEvent, { type: Type }>>
}

const defaults: ProxySettings = {
  addressCacheMs: 10_000,
  appendTimeoutMs: 5_000,
  connectionsMax: 5_000,
  dialTimeoutMs: 5_000,
  listen: { ip: '127.0.0.1', port: 0 },
  peeksMax: 4_096,
  progressIntervalMs: 60_000,
  tlsAlerts: true,
}
const defaultTimeouts: EngineTimeouts = { peekTimeoutMs: 5_000, idleTimeoutMs: 600_000, halfCloseTimeoutMs: 60_000 }

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { settings, timeouts, endsUnfinished = false } = options
  const clock = systemClock
  const makeId = idMaker(clock, systemRandom)
  const network = options.network ?? (await SystemNetwork.create())
  const log = options.log ?? new MemoryLog({ clock, makeId, node: 'test' })
  const drafts = new Drafts(clock, makeId, 'test')
  const live = new Live(log, (trouble) => {
    throw new Error(`trouble in the log: ${JSON.stringify(trouble)}`)
  }, { checkOneIn: 1 })
  await live.replay()
  live.follow()
  const notes = new Notes(log)
  const engine = new SocketEngine(
    clock, network, { helloBytesMax: 65_536, recordsMax: helloRecordsMax }, { ...defaultTimeouts, ...timeouts },
  )
  const parts = {
    clock, drafts, engine, live, log, makeId, notes,
    ...(options.healthChecks === true ? { network, random: systemRandom } : { network: withoutChecks(network), random: latest }),
  }
  const proxy = new Proxy(parts, { ...defaults, ...settings })
  await proxy.start()

  const portOf = (listener: string): number => {
    const view = proxy.listeners.find((candidate) => candidate.listener === listener)
    if (view?.state !== 'bound') throw new Error(`${listener} is not bound: ${view?.code}`)
    return Number(view.address.slice(view.address.lastIndexOf(':') + 1))
  }
  const records = async (stream: Stream): Promise<WaybillEvent[]> => {
    const found: WaybillEvent[] = []
    for await (const batch of log.read(stream, { after: null, follow: false })) {
      for (const { bytes } of batch) {
        const reading = readRecord(bytes)
        if (reading.kind !== 'event') throw new Error(`a record that is none: ${Buffer.from(bytes).toString()}`)
        const text = Buffer.from(bytes).toString()
        if (canonicalJson(JSON.parse(text)) !== text) throw new Error(`a record that is not RFC 8785: ${text}`)
        found.push(reading.event)
      }
    }
    return found
  }

  return {
    log,
    live,
    proxy,
    engine,
    port: portOf('shared'),
    portOf,
    records,
    addPool: (pool) => change(live, log, drafts, PoolCreated, `pools/${pool.name ?? 'app'}`, poolData(pool)),
    setListener: (listener, answers) => change(live, log, drafts, ListenerChanged, `listeners/${listener}`, { listener, set: sortedKeys(answers) }),
    change: (definition, subject, data) => change(live, log, drafts, definition, subject, data),
    lose: (definition, subject, data) => change(live, log, drafts, definition, subject, data, 'void'),
    untilRecord: async (type, matches = () => true) => {
      const stream: Stream = /\.connection\./.test(type) ? 'connections' : /\.(pool|backend|listener\.changed)\b/.test(type) ? 'control' : 'operations'
      for (;;) {
        const found = (await records(stream)).find((event) => event.type === type && matches(event as never))
        if (found) return found as never
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    async [Symbol.asyncDispose]() {
      await proxy.stopAccepting()
      const { allRecorded } = await proxy.end(5_000)
      if (!endsUnfinished) {
        if (!allRecorded) throw new Error('closing records are missing')
        if (proxy.leases !== 0) throw new Error(`${proxy.leases} leases were not given back`)
        if (engine.links !== 0) throw new Error(`${engine.links} links are left`)
        checkConnections(await records('connections'))
      }
      notes[Symbol.dispose]()
      await live.stop()
      await log[Symbol.asyncDispose]()
    },
  }
}

/** The first check comes as late as it may; of equal backends the last one is taken. */
const latest = { ...systemRandom, float: () => 0.999 }

/** Health checks are all that dials here instead of through the engine; they fail for a reason that counts for nothing. */
function withoutChecks(network: Network): Network {
  return {
    listen: (endpoint, accept) => network.listen(endpoint, accept),
    lookup: (host) => network.lookup(host),
    connect: (_, handler) => {
      queueMicrotask(() => handler.onClosed('EAGAIN'))
      return { handler, destroy: () => {} } as Partial<Socket> as Socket
    },
  }
}

/** Every connection that was opened was closed exactly once, afterwards; nothing is told of one that was not opened. */
export function checkConnections(records: readonly WaybillEvent[]): void {
  const open = new Set<string>()
  for (const { type, data } of records) {
    if (type === 'dev.waybill.connection.opened.v1') open.add(data.connection_id)
    else if (type === 'dev.waybill.connection.progress.v1' || type === 'dev.waybill.connection.closed.v1') {
      if (!open.has(data.connection_id)) throw new Error(`${type} of ${data.connection_id}, which is not open`)
      if (type === 'dev.waybill.connection.closed.v1') open.delete(data.connection_id)
    }
  }
  if (open.size > 0) throw new Error(`${open.size} connections were opened and never closed on record`)
}

async function change<Type extends string, Data extends z.ZodType>(
  live: Live, log: EventLog, drafts: Drafts, definition: EventDefinition<Type, Data>, subject: string,
  data: Record<string, unknown>, expected: 'effective' | 'void' = 'effective',
): Promise<void> {
  const { revision, basis } = live.routing
  const authored = {
    actor: exampleActor,
    change: { approved_by: null, reason: null, requested_by: null, ticket: null },
    idempotency: null,
    origin: exampleOrigin,
    ...data,
  }
  const draft = drafts.make(definition, subject, sortedKeys(authored) as z.input<Data> & object)
  using outcome = live.outcomeOf(draft.id)
  const place = { revision: expected === 'effective' ? revision + 1 : revision, basis }
  await log.append('control', [{ ...draft, ...place }], { purpose: 'admission' })
  if ((await outcome) !== expected) throw new Error(`${definition.type} was not ${expected}`)
  // Listeners are bound in the same turn that the change was folded; one more lets them finish.
  await new Promise((resolve) => setTimeout(resolve, 20))
}

function sortedKeys(value: object): object {
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function poolData(pool: RigPool): Record<string, unknown> {
  return {
    algorithm: pool.algorithm ?? 'least_connections',
    allow_plaintext: pool.allowPlaintext ?? false,
    backends: pool.backends.map(({ host = '127.0.0.1', port, weight = 1 }) => ({
      declaration: null, host, id: `${host}:${port}`, port, weight,
    })),
    business_need: null,
    declaration: null,
    default_route: pool.defaultRoute ?? pool.serverNames === undefined,
    default_route_reason: null,
    drain_timeout: pool.drainTimeoutMs ?? null,
    health_check_interval: pool.healthCheckIntervalMs ?? 3_600_000,
    listen: pool.listen ?? null,
    min_tls_version: pool.minTlsVersion ?? null,
    name: pool.name ?? 'app',
    owner: null,
    reject_ech: pool.rejectEch ?? false,
    server_names: [...(pool.serverNames ?? [])],
    ssl_mode: 'passthrough',
  }
}
