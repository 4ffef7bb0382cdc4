import type { Clock } from '../../core/clock.ts'
import type { Disk } from '../../core/disk.ts'
import { errnoOf } from '../../core/errors.ts'
import { commitBytesMax } from '../../core/limits.ts'
import type { Logger } from '../../core/logger.ts'
import type { EventLog } from '../../log/event-log.ts'
import { liveText, readLive, type LiveSnapshot, type RoutingSnapshot } from './content.ts'
import { HistoryFolder } from './history.ts'
import { temporarySuffix, writeSnapshotFile } from './snapshot-file.ts'

/**
 * Keeps snapshots of all folds in a folder beside the log: a start goes on from the newest one instead of folding
 * millions of records again. Only ever a cache: whatever is wrong with it, or with writing it, costs time and nothing
 * else. Whoever may write to the data folder may write here too; a snapshot proves nothing, the log does.
 */

/** At 70,000 records/s folding them again takes 3 s, which is what a start after a crash may cost at most. */
const everyRecordsDefault = 200_000
/** Of the configuration, for looking back. Folding so many again takes less than a tenth of a second. */
const historyEveryRecordsDefault = 1_000
/** After a failure; the records until then are folded again if there is a start in between. */
const retryMs = 60_000
/** The newest, and one more for when that one is damaged. */
const keptMax = 2
/** Configurations waiting to be written; a change of configuration is rare, so more than one is. */
const historyWaitingMax = 16

export interface KeeperOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly folder: string
  readonly log: Pick<EventLog, 'availability'>
  readonly logger: Logger
  /** A snapshot is only written while more than this is free: below it the disk belongs to the log. */
  readonly freeBytesMin: number
  readonly everyRecords?: number
  readonly historyEveryRecords?: number
}

/** The folder of the snapshots in a data folder. */
export function snapshotsFolder(dataFolder: string): string {
  return `${dataFolder}/snapshots`
}

export class SnapshotKeeper {
  readonly history: HistoryFolder
  readonly #options: KeeperOptions
  readonly #everyRecords: number
  readonly #historyEveryRecords: number
  /** Names that this process wrote or started from. */
  #good: string[] = []
  /** Records in the last snapshot. */
  #kept = 0
  #saving: Promise<void> | null = null
  #notBeforeMs = 0
  /** Which multiple of `historyEveryRecords` was last passed. */
  #historySlot = 0
  readonly #waiting: RoutingSnapshot[] = []
  #keepingHistory: Promise<void> | null = null
  #stopped = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#everyRecords = options.everyRecords ?? everyRecordsDefault
    this.#historyEveryRecords = options.historyEveryRecords ?? historyEveryRecordsDefault
    this.history = new HistoryFolder(options.disk, options.folder)
  }

  /** The newest snapshot that is whole, of this version and of this log; null: everything has to be folded. */
  async load(log: Pick<EventLog, 'read'>): Promise<LiveSnapshot | null> {
    const { disk, folder, logger } = this.#options
    const names = await this.#names().catch(() => [])
    for (const name of names.toReversed()) {
      const found = await readLive(disk, `${folder}/${name}`, log)
      if ('problem' in found) {
        logger.warn('a snapshot is not used; the records are folded again', { file: name, problem: found.problem })
        continue
      }
      this.#good = [name]
      this.#kept = recordsIn(found)
      this.#historySlot = this.#slotOf(found.intakes.control.count)
      return found
    }
    await this.history.clear().catch(() => {})
    return null
  }

  /** So many records were folded: when enough are new, `capture` is called, at once or never, and written aside. */
  note(records: number, capture: () => LiveSnapshot): void {
    if (records - this.#kept < this.#everyRecords || this.#saving !== null || this.#stopped) return
    if (this.#options.clock.monotonicMs() < this.#notBeforeMs || !this.#mayWrite()) return
    this.#saving = this.#save(capture())
  }

  /** A change took effect as the control record of this number: now and then the configuration is kept. */
  noteChange(controlRecords: number, capture: () => RoutingSnapshot): void {
    const slot = this.#slotOf(controlRecords)
    if (slot === this.#historySlot) return
    this.#historySlot = slot
    if (this.#stopped || this.#waiting.length >= historyWaitingMax) return
    this.#waiting.push(capture())
    this.#keepingHistory ??= this.#keepHistory()
  }

  /** Resolves when no configuration waits to be kept: folding a whole log is faster than writing them. */
  async caughtUp(): Promise<void> {
    await this.#keepingHistory
  }

  /** Resolves when the state as `capture` finds it is written, or can't be. */
  async keepNow(records: number, capture: () => LiveSnapshot): Promise<void> {
    await this.#saving
    await this.#keepingHistory
    if (this.#stopped || records === this.#kept || !this.#mayWrite()) return
    this.#saving = this.#save(capture())
    await this.#saving
  }

  /** Nothing is begun any more, and what is being written ends at its next step. Waits for nothing: a disk may hang. */
  stop(): void {
    this.#stopped = true
    this.#waiting.length = 0
  }

  async #save(snapshot: LiveSnapshot): Promise<void> {
    const { clock, disk, folder, logger } = this.#options
    const records = recordsIn(snapshot)
    const name = `live-${String(records).padStart(recordsDigits, '0')}.snapshot`
    try {
      await disk.makeFolder(folder)
      if (await writeSnapshotFile(disk, folder, name, liveText(snapshot), this.#proceed)) {
        this.#kept = records
        this.#good = [...this.#good.filter((each) => each !== name), name].slice(-keptMax)
        // A disk that hung over the end of the log: the folder may be somebody else's by now.
        if (!this.#stopped) await this.#prune()
      } else this.#notBeforeMs = clock.monotonicMs() + retryMs
    } catch (error) {
      // Whatever it is: a cache is no reason to stop a node that works.
      this.#notBeforeMs = clock.monotonicMs() + retryMs
      logger.warn('a snapshot could not be written; a start would take longer', { error })
    } finally {
      this.#saving = null
    }
  }

  async #keepHistory(): Promise<void> {
    const { disk, folder, logger } = this.#options
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        await disk.makeFolder(folder)
        if (this.#mayWrite()) await this.history.keep(next, this.#proceed)
      }
    } catch (error) {
      this.#waiting.length = 0
      logger.warn('a configuration could not be kept; looking back would take longer', { error })
    } finally {
      this.#keepingHistory = null
    }
  }

  /** Not what is not good: it would stand before those that are. */
  async #prune(): Promise<void> {
    const { disk, folder } = this.#options
    for (const name of await disk.list(folder)) {
      const leftOver = name.startsWith('live-') && !this.#good.includes(name)
      if (leftOver) await disk.remove(`${folder}/${name}`)
    }
  }

  /** Oldest first. */
  async #names(): Promise<readonly string[]> {
    try {
      const names = await this.#options.disk.list(this.#options.folder)
      return names.filter((name) => name.startsWith('live-') && !name.endsWith(temporarySuffix))
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return []
      throw error
    }
  }

  readonly #proceed = async (): Promise<boolean> => {
    if (this.#stopped || !this.#mayWrite()) return false
    const { disk, folder, freeBytesMin } = this.#options
    const { freeBytes } = await disk.space(folder)
    return freeBytes > freeBytesMin + roomBytes
  }

  #mayWrite(): boolean {
    return this.#options.log.availability().available
  }

  #slotOf(controlRecords: number): number {
    return Math.floor(controlRecords / this.#historyEveryRecords)
  }
}

const recordsDigits = 16
/** What the log may write until `proceed` is asked again. */
const roomBytes = commitBytesMax

function recordsIn({ intakes: { connections, control, operations } }: LiveSnapshot): number {
  return connections.count + control.count + operations.count
}
