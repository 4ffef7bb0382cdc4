import type { Stream } from '../../../../events/define.ts'
import type { Clock } from '../../../core/clock.ts'
import { readWhole, replaceFile, type Disk } from '../../../core/disk.ts'
import { errnoOf } from '../../../core/errors.ts'
import type { Placed } from '../reading/own-records.ts'
import { isMarks, markBefore, withMark, type Mark } from './place-marks.ts'

/**
 * Where the newest acknowledged record of each stream lies in its topic, and some older ones, kept beside the log. Only where
 * a search of the topic begins: what is there is looked at, and a file that is old, gone or wrong makes the search longer.
 */

export const placesName = 'kafka.json'
const keepEveryMs = 1_000

interface NotedPlace extends Placed {
  readonly topic: string
  readonly partition: number
}

interface KeptPlace extends NotedPlace {
  readonly marks: readonly Mark[]
}

type Places = Partial<Record<Stream, KeptPlace>>

export class ShippedPlaces {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #folder: string
  #places: Places
  #keptMs = -Infinity
  #keeping: Promise<void> = Promise.resolve()

  static async read(disk: Disk, clock: Clock, folder: string): Promise<ShippedPlaces> {
    return new ShippedPlaces(disk, clock, folder, await readPlaces(disk, folder))
  }

  private constructor(disk: Disk, clock: Clock, folder: string, places: Places) {
    this.#disk = disk
    this.#clock = clock
    this.#folder = folder
    this.#places = places
  }

  /** Null: nothing is known of this partition. */
  of(stream: Stream, topic: string, partition: number): Placed | null {
    const place = this.#places[stream]
    return place?.topic === topic && place.partition === partition ? place : null
  }

  /** An offset at or before which a record lies, if it is there; null: nobody knows one. */
  offsetBefore(stream: Stream, topic: string, partition: number, sequence: number): number | null {
    const place = this.#places[stream]
    if (place?.topic !== topic || place.partition !== partition) return null
    return markBefore(place.marks, sequence)?.[1] ?? null
  }

  note(stream: Stream, place: NotedPlace): void {
    const before = this.#places[stream]
    const marks = before?.topic === place.topic && before.partition === place.partition ? before.marks : []
    this.#places = { ...this.#places, [stream]: { ...place, marks: withMark(marks, place) } }
    const nowMs = this.#clock.monotonicMs()
    if (nowMs < this.#keptMs + keepEveryMs) return
    this.#keptMs = nowMs
    void this.keep()
  }

  /** Never rejects. */
  keep(): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(this.#places)}\n`)
    this.#keeping = this.#keeping.then(() => replaceFile(this.#disk, this.#folder, placesName, bytes)).catch(() => {})
    return this.#keeping
  }

  /** The topic is another one: what is known is where its newest record was, which tells it from the one that it was. */
  forgetMarks(stream: Stream): void {
    const place = this.#places[stream]
    if (place !== undefined) this.#places = { ...this.#places, [stream]: { ...place, marks: [] } }
  }

  /** Of another log folder: nothing of it is known. */
  forget(): void {
    this.#places = {}
  }
}

async function readPlaces(disk: Disk, folder: string): Promise<Places> {
  try {
    const found: unknown = JSON.parse((await readWhole(disk, `${folder}/${placesName}`)).toString())
    return typeof found === 'object' && found !== null && Object.values(found).every(isKeptPlace) ? found : {}
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && !(error instanceof SyntaxError)) throw error
    return {}
  }
}

function isKeptPlace(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { leafHash, marks, offset, sequence } = value as Partial<KeptPlace>
  return typeof leafHash === 'string' && typeof offset === 'number' && typeof sequence === 'number' && isMarks(marks)
}
