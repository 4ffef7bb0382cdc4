import { streams, type Stream } from '../../events/define.ts'
import type { LogFields, Logger } from '../../src/core/logger.ts'
import { foldNames } from '../../src/live/folds.ts'
import { Live, type LiveTrouble } from '../../src/live/live.ts'
import { SnapshotKeeper, type KeeperOptions } from '../../src/live/snapshots/keeper.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { ManualClock } from './manual-clock.ts'
import type { MemoryDisk } from './memory-disk.ts'
import type { MadeRecord } from './records.ts'
import { ScriptedLog } from './scripted-log.ts'

/** Lives of a node that keeps snapshots on a memory disk, over logs that a test writes. */

export const snapshotFolder = '/data/snapshots'

export type Records = Readonly<Record<Stream, readonly MadeRecord[]>>

/** The first `upTo` records of each stream, each a batch of its own. */
export function logOf(records: Records, upTo = Infinity): ScriptedLog {
  const log = new ScriptedLog()
  // Positions are numbered over all streams: they have to be the same however much of the log there is.
  const most = Math.max(...streams.map((stream) => records[stream].length))
  for (let index = 0; index < Math.min(upTo, most); index += 1) {
    for (const stream of streams) {
      const record = records[stream][index]
      if (record !== undefined) log.push(stream, record)
    }
  }
  return log
}

export interface NodeLife {
  readonly live: Live
  readonly keeper: SnapshotKeeper
  readonly clock: ManualClock
  readonly troubles: readonly LiveTrouble[]
  /** What was logged at warn, with the problem that it names. */
  readonly warnings: readonly string[]
}

export function lifeOn(disk: MemoryDisk, log: EventLog, options: Partial<KeeperOptions> = {}): NodeLife {
  const troubles: LiveTrouble[] = []
  const warnings: string[] = []
  const clock = new ManualClock()
  const keeper = new SnapshotKeeper({
    clock,
    disk: disk.attach(),
    folder: snapshotFolder,
    freeBytesMin: 0,
    log: { availability: () => ({ available: true }) },
    logger: warningsTo(warnings),
    ...options,
  })
  const live = new Live(log, (trouble) => void troubles.push(trouble), { checkOneIn: 1, snapshots: keeper })
  return { live, keeper, clock, troubles, warnings }
}

/** Everything that is folded out of a log. */
export function everythingOf(live: Live): unknown {
  const states = foldNames.map((name) => [name, live[name]])
  return structuredClone({ states, frozen: live.frozen, counts: streams.map((stream) => live.count(stream)) })
}

/** What a node without snapshots would know. */
export async function foldedFrom(log: EventLog): Promise<unknown> {
  const live = new Live(log, () => {}, { checkOneIn: 1 })
  await live.replay()
  return everythingOf(live)
}

function warningsTo(warnings: string[]): Logger {
  const warn = (sentence: string, fields: LogFields = {}): void => {
    warnings.push('problem' in fields ? `${sentence}: ${String(fields.problem)}` : sentence)
  }
  return { debug: () => {}, info: () => {}, warn, error: warn }
}
