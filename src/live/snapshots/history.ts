import type { Disk } from '../../core/disk.ts'
import { errnoOf } from '../../core/errors.ts'
import type { EventLog } from '../../log/event-log.ts'
import { readRouting, routingText, type RoutingSnapshot } from './content.ts'
import { writeSnapshotFile } from './snapshot-file.ts'

/**
 * Configurations of the past, kept now and then, so that the one of any moment is a short fold away. Named by revision
 * and time, which is all that choosing one needs. A cache: without it the fold begins at the first record.
 */

/** A moment of the past: RFC 3339 in UTC with three fraction digits, or the number of a configuration. */
export type Moment = { readonly at: string } | { readonly revision: number }

export interface RoutingHistory {
  /** The last kept configuration that lies at or before the moment and is one of this log's; null: there is none. */
  nearest(log: Pick<EventLog, 'read'>, moment: Moment): Promise<RoutingSnapshot | null>
}

/** Beyond these the one whose neighbours are closest goes, so that a long past is covered evenly. */
export const historyMax = 256
/** How many are tried that turn out not to be usable, before the fold begins at the first record. */
const attemptsMax = 8

interface Kept {
  readonly name: string
  readonly revision: number
  /** The time's digits: their order is that of the times. */
  readonly digits: string
}

export class HistoryFolder implements RoutingHistory {
  readonly #disk: Disk
  readonly #folder: string
  readonly #max: number

  constructor(disk: Disk, folder: string, max = historyMax) {
    this.#disk = disk
    this.#folder = folder
    this.#max = max
  }

  async nearest(log: Pick<EventLog, 'read'>, moment: Moment): Promise<RoutingSnapshot | null> {
    const kept = await this.#kept().catch(() => [])
    const candidates = kept.filter((each) => liesBefore(each, moment)).slice(-attemptsMax)
    for (const { name, revision } of candidates.toReversed()) {
      const found = await readRouting(this.#disk, `${this.#folder}/${name}`, log)
      if (!('problem' in found) && found.routing.revision === revision) return found
    }
    return null
  }

  /** Throws what the disk throws. */
  async keep(snapshot: RoutingSnapshot, proceed: () => Promise<boolean>): Promise<void> {
    const { changedAt, revision } = snapshot.routing
    const name = `routing-${String(revision).padStart(revisionDigits, '0')}-${digitsOf(changedAt ?? '')}.snapshot`
    const kept = await this.#kept()
    if (kept.some((each) => each.name === name)) return
    if (!(await writeSnapshotFile(this.#disk, this.#folder, name, routingText(snapshot), proceed))) return
    await this.#thin(await this.#kept())
  }

  /** Removes all of them: they are made again when the log is folded from its beginning. */
  async clear(): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith('routing-')) await this.#disk.remove(`${this.#folder}/${name}`)
    }
  }

  async #thin(kept: readonly Kept[]): Promise<void> {
    if (kept.length <= this.#max) return
    let narrowest = 1
    const gap = (index: number): number => kept[index + 1]!.revision - kept[index - 1]!.revision
    for (let index = 2; index < kept.length - 1; index += 1) if (gap(index) < gap(narrowest)) narrowest = index
    await this.#disk.remove(`${this.#folder}/${kept[narrowest]!.name}`)
  }

  /** In the order of their revisions. */
  async #kept(): Promise<Kept[]> {
    return (await this.#names()).flatMap((name) => {
      const match = /^routing-(\d{16})-(\d{17})\.snapshot$/.exec(name)
      return match === null ? [] : [{ name, revision: Number(match[1]), digits: match[2]! }]
    })
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await this.#disk.list(this.#folder)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return []
      throw error
    }
  }
}

const revisionDigits = 16

function liesBefore({ revision, digits }: Kept, moment: Moment): boolean {
  return 'revision' in moment ? revision <= moment.revision : digits <= digitsOf(moment.at)
}

function digitsOf(time: string): string {
  return time.replaceAll(/[^0-9]/g, '')
}
