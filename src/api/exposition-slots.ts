import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'

/** Bounds the answers with metrics that are under way: with a large configuration each is some megabytes, until it was read. */

const slotsMax = 4
/** Who reads so slowly keeps others out. */
const answerMs = 5_000

export class ExpositionSlots {
  readonly #clock: Clock
  #taken = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** False: there are too many. Else the slot is given back when the answer is over, and the answer is cut off when it takes too long. */
  take(response: ServerResponse): boolean {
    if (this.#taken >= slotsMax) return false
    this.#taken += 1
    const late = this.#clock.after(answerMs, () => response.destroy())
    response.once('close', () => {
      this.#taken -= 1
      late[Symbol.dispose]()
    })
    return true
  }
}
