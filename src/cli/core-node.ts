import type { Draft } from '../../events/envelope.ts'
import { LogInitialized, LogRecovered, LogTakenBack } from '../../events/log.ts'
import { NodeStarted, NodeStopped } from '../../events/node.ts'
import { Applier } from '../commands/applier.ts'
import { Desk } from '../commands/desk.ts'
import { settingTexts, type Settings } from '../config/settings.ts'
import { within, type Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { idMaker, type MakeId } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import type { Network } from '../core/network.ts'
import type { Random } from '../core/random.ts'
import { ClockWatch } from '../live/clock-watch.ts'
import { Live } from '../live/live.ts'
import { lostElsewhere } from '../live/lost-elsewhere.ts'
import type { RoutingHistory } from '../live/snapshots/history.ts'
import { SnapshotKeeper, snapshotsFolder } from '../live/snapshots/keeper.ts'
import { Drafts } from '../log/drafts.ts'
import { isClusterLog } from '../log/cluster-log.ts'
import { KafkaLog } from '../log/kafka/kafka-log.ts'
import type { NodeLog } from '../log/node-log.ts'
import { Notes } from '../log/notes.ts'
import { helloRecordsMax } from '../proxy/hello/parser.ts'
import { Proxy } from '../proxy/proxy.ts'
import { closeLeftOpen } from '../proxy/recover.ts'
import { SocketEngine } from '../proxy/sockets/socket-engine.ts'
import { connectionsAllowedBy, descriptorHeadroom, descriptorsPerConnection } from './descriptor-room.ts'
import { openLog } from './open-log.ts'
import { tellTrouble, watchLog } from './watch-log.ts'

/**
 * One node without its servers: log, folds, commands and data path, started in order (lock, recover, replay, say so on
 * record, close what a crash left open) and ended in order. Everything outside comes as ports, so that the simulation
 * runs the same node on a fake network, clock and disk.
 */

export interface NodePorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly network: Network
  readonly random: Random
  readonly machine: Machine
}

/** What the start puts on record about where it runs. */
export interface Machine {
  readonly hostname: string
  readonly pid: number
  /** How many files this process may have open. */
  readonly descriptorsMax: number
  readonly versions: { readonly node: string; readonly openssl: string; readonly waybill: string }
}

/** How long a stop waits for records while the log can't be written; then the next start closes what is open. */
const lastRecordsTimeoutMs = 10_000
/** How long a stop waits for a snapshot of its state; without one the next start folds what came after the last. */
const lastSnapshotTimeoutMs = 5_000

export interface CoreNode extends AsyncDisposable {
  readonly applier: Applier
  readonly clock: Clock
  readonly desk: Desk
  readonly drafts: Drafts
  /** For looking back faster. */
  readonly history: RoutingHistory
  readonly live: Live
  readonly log: NodeLog
  readonly makeId: MakeId
  readonly notes: Notes
  readonly proxy: Proxy
  /**
   * Takes no more clients, lets open connections end for the drain time (or until `hurry` aborts), ends the rest, and
   * lets go of the folder. `beforeLastRecord` ends whatever else writes records. True when everything is on record.
   */
  stop(hurry: AbortSignal, beforeLastRecord: () => Promise<void>, because?: StopReason): Promise<boolean>
}

export type StopReason = 'signal' | 'taken_over'

/** Accepts nobody yet: `proxy.start()` does. Throws a `Fault` that says what to do; then all has been ended again. */
export async function startCore(ports: NodePorts, settings: Settings, logger: Logger): Promise<CoreNode> {
  const { clock, network, random } = ports
  const makeId = idMaker(clock, random)
  await using starting = new AsyncDisposableStack()
  const { hostname, pid } = ports.machine
  const { log, topics } = await openLog({ clock, disk: ports.disk, hostname, logger, makeId, pid }, settings)
  starting.use(log)
  const { epoch, node, run } = log.writer
  const drafts = new Drafts(clock, makeId, node)
  const snapshots = new SnapshotKeeper({
    clock, disk: ports.disk, folder: snapshotsFolder(settings.data), freeBytesMin: settings.spaceLowBytes, log, logger,
  })
  const notes = starting.use(new Notes(log))
  const live = starting.adopt(new Live(log, (trouble) => tellTrouble({ drafts, logger, notes }, trouble), { snapshots }), (it) => it.stop())
  await replay(clock, live, logger)
  watchLog(starting, { clock, drafts, log, logger, notes, topics })
  const clockWatch = starting.use(new ClockWatch({ brokerClock: isClusterLog(log) ? log.brokerClock : null, clock, drafts, logger, notes }))
  const connectionsMax = connectionsMaxOf(ports.machine, settings)
  const { openConnections, runs } = live
  await recordStart({ connectionsMax, drafts, log, machine: ports.machine, settings })
  const closedElsewhere = isClusterLog(log) ? await lostElsewhere(log, openConnections) : new Set<string>()
  const left = await closeLeftOpen({ closedElsewhere, drafts, epoch, log, node, openConnections, run, runs })
  live.follow()
  if (left > 0) logger.warn(`${left} connections that an earlier run left open were closed on record`)

  const engine = starting.use(makeEngine(clock, network, settings))
  const proxy = new Proxy({ clock, drafts, engine, live, log, makeId, network, notes, random }, { ...settings, connectionsMax })
  starting.defer(() => proxy.stopAccepting())
  const { api, appendTimeoutMs, autoDefaultRoute, listen, ops } = settings
  const rules = { autoDefaultRoute, api, ops, sharedListen: listen }
  const desk = new Desk({ appendTimeoutMs, clock, clockOff: () => clockWatch.off(), live, log, makeId, rules })
  const applier = new Applier({ clock, desk, live, makeId, rules })

  const started = starting.move()
  return {
    applier, clock, desk, drafts, history: snapshots.history, live, log, makeId, notes, proxy,
    stop: (hurry, beforeLastRecord, because = 'signal') => stopCore({ because, beforeLastRecord, clock, drafts, live, log, proxy, settings, started }, hurry),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

async function replay(clock: Clock, live: Live, logger: Logger): Promise<void> {
  const startedMs = clock.monotonicMs()
  const { records, spared } = await live.replay()
  const ms = Math.round(clock.monotonicMs() - startedMs)
  logger.info(`replayed ${records} records`, { in_snapshot: spared, ms, revision: live.routing.revision })
}

interface LogParts {
  readonly drafts: Drafts
  readonly log: NodeLog
}

interface StartFacts {
  readonly connectionsMax: number
  readonly machine: Machine
  readonly settings: Settings
}

async function recordStart(
  { connectionsMax, drafts, log, machine, settings }: LogParts & StartFacts,
): Promise<void> {
  const records: Draft[] = []
  const shared = log instanceof KafkaLog ? log : null
  if (log.writer.isNew) {
    const data = { adapter: shared === null ? 'file' : 'kafka', earlier: shared?.setAside ?? null, hash: 'sha256-rfc6962-leaf' } as const
    records.push(drafts.make(LogInitialized, 'log', data))
  }
  if (shared !== null && shared.takenBack > 0) records.push(drafts.make(LogTakenBack, 'log', { records: shared.takenBack }))
  for (const { bytesCut, segment, stream } of log.cuts) {
    const data = { bytes_cut: bytesCut, refusal_counts_lost: stream === 'connections', segment, stream }
    records.push(drafts.make(LogRecovered, `log/${stream}`, data))
  }
  const started = drafts.make(NodeStarted, `nodes/${log.writer.node}`, {
    connections_max: connectionsMax,
    descriptors_max: machine.descriptorsMax,
    process: machine.pid,
    settings: [...settingTexts(settings)],
    versions: machine.versions,
  })
  const [first, ...others] = [...records, started]
  await log.append('operations', [first ?? started, ...others], { purpose: 'owed' })
}

function connectionsMaxOf({ descriptorsMax }: Machine, { connectionsMax }: Settings): number {
  const allowed = connectionsAllowedBy(descriptorsMax)
  if (allowed < 1) {
    throw new Fault(
      'descriptors_too_few',
      'settings',
      `this process may have ${descriptorsMax} files open, and needs more than ${descriptorHeadroom + descriptorsPerConnection}: ` +
        'raise the limit (ulimit -n, or LimitNOFILE= in a systemd unit).',
    )
  }
  return Math.min(allowed, connectionsMax ?? allowed)
}

function makeEngine(clock: Clock, network: Network, settings: Settings): SocketEngine {
  const { halfCloseTimeoutMs, helloBytesMax, idleTimeoutMs, peekTimeoutMs } = settings
  const limits = { helloBytesMax, recordsMax: helloRecordsMax }
  return new SocketEngine(clock, network, limits, { halfCloseTimeoutMs, idleTimeoutMs, peekTimeoutMs })
}

interface StopParts extends LogParts {
  readonly because: StopReason
  readonly beforeLastRecord: () => Promise<void>
  readonly clock: Clock
  readonly live: Live
  readonly proxy: Proxy
  readonly settings: Settings
  readonly started: AsyncDisposableStack
}

async function stopCore(parts: StopParts, hurry: AbortSignal): Promise<boolean> {
  const { because, beforeLastRecord, clock, drafts, live, log, proxy, settings, started } = parts
  await proxy.stopAccepting()
  await proxy.drain(settings.drainTimeoutMs, hurry)
  const { ended, allRecorded } = await proxy.end(lastRecordsTimeoutMs)
  await beforeLastRecord()
  // While the folder is still ours, and not when somebody waits for the end.
  if (!hurry.aborted) await within(clock, lastSnapshotTimeoutMs, live.keepSnapshot())
  const stopped = drafts.make(NodeStopped, `nodes/${log.writer.node}`, { because, connections_ended: ended })
  const said = log.append('operations', [stopped], { purpose: 'owed' }).then(() => true, () => false)
  const written = await log.close(lastRecordsTimeoutMs)
  const last = await said
  await started.disposeAsync()
  return allRecorded && written && last
}
