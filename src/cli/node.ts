import { hostname } from 'node:os'
import type { Draft } from '../../events/envelope.ts'
import { LogInitialized, LogRecovered, LogSpaceLow } from '../../events/log.ts'
import { NodeStarted, NodeStopped } from '../../events/node.ts'
import { buildApi } from '../api/app.ts'
import { serveOnSocket, socketName } from '../api/socket.ts'
import { Desk } from '../commands/desk.ts'
import type { Settings } from '../config/settings.ts'
import { formatEndpoint } from '../core/endpoint.ts'
import { errnoOf, Fault } from '../core/errors.ts'
import { idMaker } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import { systemClock } from '../core/system/clock.ts'
import { descriptorsMax } from '../core/system/descriptors.ts'
import { systemDisk } from '../core/system/disk.ts'
import { SystemNetwork } from '../core/system/network.ts'
import { systemRandom } from '../core/system/random.ts'
import { Live } from '../live/live.ts'
import type { Pace } from '../log/commit-pace.ts'
import { Drafts } from '../log/drafts.ts'
import { FileLog } from '../log/file/file-log.ts'
import { Notes } from '../log/notes.ts'
import { recordOutages } from '../log/outages.ts'
import { helloRecordsMax } from '../proxy/hello/parser.ts'
import { sharedListener } from '../proxy/listeners.ts'
import { Proxy } from '../proxy/proxy.ts'
import { closeLeftOpen } from '../proxy/recover.ts'
import { SocketEngine } from '../proxy/sockets/socket-engine.ts'
import { version } from './version.ts'

/**
 * One node, from its log folder to its listeners, and back in order: the only place where everything meets. Start:
 * lock, recover, replay, say so on record, close what a crash left open, then the API, then clients.
 */

/** Descriptors kept free of client connections: log, API, health checks, listeners, and clients being turned away. */
const descriptorHeadroom = 768
/** A client and its backend. */
const descriptorsPerConnection = 2
/**
 * Two milliseconds are little beside a TLS handshake, and only busy times pay them. Ten let a closing record share the
 * commit of a later connection.
 */
const pace: Pace = { commitGapMs: 2, owedWaitMs: 10 }
/** How long a stop waits for records while the log can't be written; then the next start closes what is open. */
const lastRecordsTimeoutMs = 10_000

const clock = systemClock
const random = systemRandom
const makeId = idMaker(clock, random)

export interface RunningNode {
  /** What the API and the shared listener are bound to. */
  readonly api: string
  readonly listen: string
  /**
   * Takes no more clients, lets open connections end for the drain time (or until `hurry` aborts), ends the rest, and
   * lets go of the folder. True when everything that happened is on record.
   */
  stop(hurry: AbortSignal): Promise<boolean>
}

/** Throws a `Fault` that says what to do; then everything that was started has been ended again. */
export async function startNode(settings: Settings, logger: Logger): Promise<RunningNode> {
  await using starting = new AsyncDisposableStack()
  const log = starting.use(await openLog(settings))
  const { node, run } = log.writer
  const drafts = new Drafts(clock, makeId, node)
  const live = starting.adopt(new Live(log, (trouble) => logger.error('the log holds what it should not', { ...trouble })), (it) => it.stop())
  await replay(live, logger)
  const notes = starting.use(new Notes(log))
  watchLog(starting, { drafts, log, logger, notes })
  const connectionsMax = connectionsMaxOf(settings)
  const { openConnections, runs } = live
  await recordStart({ connectionsMax, drafts, log })
  const left = await closeLeftOpen({ drafts, log, node, openConnections, run, runs })
  live.follow()
  if (left > 0) logger.warn(`${left} connections that an earlier run left open were closed on record`)

  const network = await SystemNetwork.create()
  if (!network.acceptsFast) logger.warn('this Node version has other internals than expected: accepted sockets read the slower way')
  const engine = starting.use(makeEngine(network, settings))
  const proxy = new Proxy({ clock, drafts, engine, live, log, makeId, network, notes, random }, { ...settings, connectionsMax })
  starting.defer(() => proxy.stopAccepting())
  const api = starting.use(await startApi({ live, log, logger, proxy, settings }))
  await proxy.start()
  const listen = sharedAddress(proxy)

  const started = starting.move()
  return {
    api: api.address,
    listen,
    stop: (hurry) => stopNode({ drafts, log, proxy, settings, started, stopApi: async () => api[Symbol.asyncDispose]() }, hurry),
  }
}

async function openLog({ cluster, data, node, reserveBytes, spaceLowBytes }: Settings): Promise<FileLog> {
  return FileLog.open({
    clock, cluster, disk: systemDisk, folder: data, holder: { pid: process.pid, verb: 'serve' }, hostname: hostname(), makeId,
    node, pace, reserveBytes, spaceLowBytes,
  })
}

async function replay(live: Live, logger: Logger): Promise<void> {
  const startedMs = clock.monotonicMs()
  await live.replay()
  const records = live.count('control') + live.count('connections') + live.count('operations')
  logger.info(`replayed ${records} records`, { ms: Math.round(clock.monotonicMs() - startedMs), revision: live.routing.revision })
}

interface LogParts {
  readonly drafts: Drafts
  readonly log: FileLog
}

function watchLog(
  stack: AsyncDisposableStack,
  { drafts, log, logger, notes }: LogParts & { readonly logger: Logger; readonly notes: Notes },
): void {
  stack.use(
    recordOutages({
      clock, drafts, log,
      takeDropped: () => notes.takeDropped(),
      tell: (stream, now) => {
        if (now.available) logger.warn(`the ${stream} stream is written again`)
        else logger.error(`the ${stream} stream can't be written: new clients are refused`, { code: now.code, syscall: now.syscall })
      },
    }),
  )
  stack.use(
    log.onSpaceLow(({ freeBytes, thresholdBytes, totalBytes }) => {
      logger.warn('the disk that holds the log is nearly full', { free_bytes: freeBytes })
      const data = { free_bytes: freeBytes, threshold_bytes: thresholdBytes, total_bytes: totalBytes }
      notes.write('operations', 'space low', drafts.make(LogSpaceLow, 'log', data))
    }),
  )
}

async function recordStart({ connectionsMax, drafts, log }: LogParts & { readonly connectionsMax: number }): Promise<void> {
  const records: Draft[] = []
  if (log.writer.isNew) records.push(drafts.make(LogInitialized, 'log', { adapter: 'file', hash: 'sha256-rfc6962-leaf' }))
  for (const { bytesCut, segment, stream } of log.cuts) {
    const data = { bytes_cut: bytesCut, refusal_counts_lost: stream === 'connections', segment, stream }
    records.push(drafts.make(LogRecovered, `log/${stream}`, data))
  }
  const started = drafts.make(NodeStarted, `nodes/${log.writer.node}`, {
    connections_max: connectionsMax,
    descriptors_max: descriptorsMax(),
    process: process.pid,
    versions: { node: process.versions.node, openssl: process.versions.openssl, waybill: version },
  })
  const [first, ...others] = [...records, started]
  await log.append('operations', [first ?? started, ...others], { purpose: 'owed' })
}

function connectionsMaxOf({ connectionsMax }: Settings): number {
  const allowed = Math.floor((descriptorsMax() - descriptorHeadroom) / descriptorsPerConnection)
  if (allowed < 1) {
    throw new Fault(
      'descriptors_too_few',
      'settings',
      `this process may have ${descriptorsMax()} files open, and needs more than ${descriptorHeadroom + descriptorsPerConnection}: ` +
        'raise the limit (ulimit -n, or LimitNOFILE= in a systemd unit).',
    )
  }
  return Math.min(allowed, connectionsMax ?? allowed)
}

function makeEngine(network: SystemNetwork, settings: Settings): SocketEngine {
  const { halfCloseTimeoutMs, helloBytesMax, idleTimeoutMs, peekTimeoutMs } = settings
  const limits = { helloBytesMax, recordsMax: helloRecordsMax }
  return new SocketEngine(clock, network, limits, { halfCloseTimeoutMs, idleTimeoutMs, peekTimeoutMs })
}

interface ApiParts {
  readonly live: Live
  readonly log: FileLog
  readonly logger: Logger
  readonly proxy: Proxy
  readonly settings: Settings
}

async function startApi({ live, log, logger, proxy, settings }: ApiParts): Promise<AsyncDisposable & { readonly address: string }> {
  const { api: wanted, appendTimeoutMs, autoDefaultRoute, listen } = settings
  const rules = { autoDefaultRoute, api: wanted, sharedListen: listen }
  const desk = new Desk({ appendTimeoutMs, clock, live, log, makeId, rules })
  const app = await buildApi({
    appendTimeoutMs, bound: wanted, clock, desk, life: proxy, live, log, logger, makeId, node: log.writer.node, open: proxy,
    onViolation: (error) => queueMicrotask(() => { throw error }),
  })
  await using starting = new AsyncDisposableStack()
  const closeApp = (): Promise<void> => app.close()
  starting.defer(closeApp)
  try {
    await app.listen({ host: wanted.ip, port: wanted.port })
  } catch (error) {
    throw new Fault(
      'api_not_bound',
      'network',
      `the API can't listen on ${formatEndpoint(wanted)}: ${errnoOf(error)}. Stop what uses that address or choose another one (--api).`,
      { cause: error },
    )
  }
  starting.use(await serveOnSocket(app, `${settings.data}/${socketName}`, { disk: systemDisk, makeId }))
  // Undone before the socket is, which waits for its readers: closing the app ends what they read.
  starting.defer(closeApp)
  const bound = app.server.address()
  const address = formatEndpoint({ ip: wanted.ip, port: typeof bound === 'object' && bound !== null ? bound.port : wanted.port })
  const started = starting.move()
  return { address, [Symbol.asyncDispose]: async () => started.disposeAsync() }
}

/** A pool whose own address can't be bound is on record and tried again; without the shared one there is no point. */
function sharedAddress(proxy: Proxy): string {
  const shared = proxy.listeners.find(({ listener }) => listener === sharedListener)
  if (shared?.state === 'bound') return shared.address
  throw new Fault(
    'listener_not_bound',
    'network',
    `clients can't be accepted on ${shared?.address}: ${shared?.code}. Stop what uses that address or choose another one (--listen).`,
  )
}

interface StopParts extends LogParts {
  readonly proxy: Proxy
  readonly settings: Settings
  readonly started: AsyncDisposableStack
  readonly stopApi: () => Promise<void>
}

async function stopNode({ drafts, log, proxy, settings, started, stopApi }: StopParts, hurry: AbortSignal): Promise<boolean> {
  await proxy.stopAccepting()
  await proxy.drain(settings.drainTimeoutMs, hurry)
  const { ended, allRecorded } = await proxy.end(lastRecordsTimeoutMs)
  await stopApi()
  const stopped = drafts.make(NodeStopped, `nodes/${log.writer.node}`, { because: 'signal', connections_ended: ended })
  const said = log.append('operations', [stopped], { purpose: 'owed' }).then(() => true, () => false)
  const written = await log.close(lastRecordsTimeoutMs)
  const last = await said
  await started.disposeAsync()
  return allRecorded && written && last
}
