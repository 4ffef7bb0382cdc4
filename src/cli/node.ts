import { hostname } from 'node:os'
import { sharedListener } from '../../projections/listeners.ts'
import { buildApi } from '../api/app.ts'
import { reasonsAgainst } from '../api/health.ts'
import type { Expose } from '../api/metrics.ts'
import { serveOps } from '../api/ops.ts'
import { serveOnSocket, socketName } from '../api/socket.ts'
import type { OtelSettings } from '../config/otel.ts'
import type { SettingsInForce } from '../config/settings-in-force.ts'
import { formatEndpoint } from '../core/endpoint.ts'
import { errnoOf, Fault } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Tracing } from '../core/tracing.ts'
import { systemClock } from '../core/system/clock.ts'
import { descriptorsMax } from '../core/system/descriptors.ts'
import { systemDisk } from '../core/system/disk.ts'
import { SystemNetwork } from '../core/system/network.ts'
import { systemRandom } from '../core/system/random.ts'
import type { TakenOver } from '../live/cluster-view.ts'
import { snapshotsFolder } from '../live/snapshots/keeper.ts'
import { configurationAt } from '../live/time-travel.ts'
import type { Proxy } from '../proxy/proxy.ts'
import type { ResourceFacts } from '../telemetry/otlp/resource.ts'
import { startClusterParts, type ClusterParts } from './cluster-parts.ts'
import { startCore, type CoreNode, type NodePorts, type StopReason } from './core-node.ts'
import { Declarer, type Called } from './declare.ts'
import { localRetentionMsOf } from './kafka-options.ts'
import { startTelemetry } from './telemetry-parts.ts'
import { version } from './version.ts'

/** One node on this machine, with its servers: the only place where everything meets. First the API, then clients. */

export interface RunningNode {
  /** What the API and the shared listener are bound to. */
  readonly api: string
  readonly listen: string
  /** Where probes are answered; null: nowhere. */
  readonly ops: string | null
  /** Who it is, for everything that it says of itself. */
  readonly facts: ResourceFacts
  /** Reads the declaration file again and applies it; null: none was named. Rejects on violations only. */
  readonly reload: (() => Promise<void>) | null
  /** Resolves when another process goes by the name of this node: then this one has to stop. */
  readonly takenOver: Promise<TakenOver>
  /** As `CoreNode.stop`, with the servers ended in between. */
  stop(hurry: AbortSignal, because?: StopReason): Promise<boolean>
}

/** Throws a `Fault` that says what to do; then everything that was started has been ended again. */
export async function startNode({ declaration, inForce }: Called, logger: Logger, otel: OtelSettings): Promise<RunningNode> {
  await using starting = new AsyncDisposableStack()
  const ports = await systemPorts(logger)
  const { settings } = inForce
  const telemetry = starting.use(startTelemetry({ clock: ports.clock, disk: ports.disk, logger, machine: ports.machine, otel, settings }))
  const core = starting.use(await startCore(ports, settings, logger))
  const { cluster, node } = core.log.writer
  const facts = { cluster, hostname: ports.machine.hostname, node, pid: ports.machine.pid, version }
  await telemetry.attach(core, facts)
  const declarer = declaration === null ? null : new Declarer(declaration.file, { core, disk: systemDisk, inForce, logger })
  if (declaration !== null) await declarer?.apply(declaration)
  const reasons = (): readonly string[] => reasonsAgainst({ ...core, life: core.proxy }).map(({ code }) => code)
  const metrics: Expose = (accept) => telemetry.metrics.exposition(accept)
  const ops = settings.ops === null ? null : starting.use(await serveOps(settings.ops, { metrics, reasons }, systemClock))
  const takenOver = Promise.withResolvers<TakenOver>()
  const shared = starting.use(startShared(core, inForce, logger, takenOver.resolve))
  const api = starting.use(await startApi({ core, inForce, logger, metrics, shared, tracing: telemetry.tracing }))
  await core.proxy.start()
  const listen = sharedAddress(core.proxy)

  const started = starting.move()
  return {
    api: api.address,
    listen,
    ops: ops?.address ?? null,
    facts,
    reload: declarer === null ? null : () => declarer.reload(),
    takenOver: takenOver.promise,
    stop: async (hurry, because = 'signal') => {
      const endWriters = async (): Promise<void> => {
        await api[Symbol.asyncDispose]()
        await shared[Symbol.asyncDispose]()
      }
      const recorded = await core.stop(hurry, endWriters, because)
      await started.disposeAsync()
      return recorded
    },
  }
}

async function systemPorts(logger: Logger): Promise<NodePorts> {
  const network = await SystemNetwork.create()
  if (!network.acceptsFast) logger.warn('this Node version has other internals than expected: accepted sockets read the slower way')
  const { node, openssl } = process.versions
  const machine = {
    descriptorsMax: descriptorsMax(), hostname: hostname(), pid: process.pid, versions: { node, openssl, waybill: version },
  }
  return { clock: systemClock, disk: systemDisk, machine, network, random: systemRandom }
}

function startShared(core: CoreNode, { settings }: SettingsInForce, logger: Logger, onTakenOver: (by: TakenOver) => void): ClusterParts {
  const { clock, drafts, live, log, notes, proxy } = core
  return startClusterParts({
    clock, disk: systemDisk, drafts, folder: snapshotsFolder(settings.data), freeBytesMin: settings.spaceLowBytes, live, log, logger, notes,
    localRetentionMs: localRetentionMsOf(settings),
    onTakenOver, open: proxy, origin: `${settings.topicPrefix} of ${log.writer.cluster}`, version,
  })
}

interface ApiParts {
  readonly core: CoreNode
  readonly inForce: SettingsInForce
  readonly logger: Logger
  readonly metrics: Expose
  readonly shared: ClusterParts
  readonly tracing: Tracing
}

async function startApi({ core, inForce, logger, metrics, shared: { cluster, nodes }, tracing }: ApiParts): Promise<AsyncDisposable & { readonly address: string }> {
  const { settings } = inForce
  const { api: wanted, appendTimeoutMs } = settings
  const { applier, clock, desk, history, live, log, makeId, proxy } = core
  const app = await buildApi({
    appendTimeoutMs, applier, bound: wanted, clock, desk, connections: proxy, life: proxy,
    listeners: proxy, live, inForce, log, logger, makeId, metrics, node: log.writer.node, nodes, open: proxy, cluster, tracing,
    stateAt: (moment) => configurationAt(log, moment, history),
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
  starting.use(await serveOnSocket(app, `${settings.data}/${socketName}`, { disk: systemDisk }))
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
