import { within, type Clock } from '../core/clock.ts'

/** How long a collection waits for the file system; what it has not said by then is left out. */
const answerTimeoutMs = 1_000

/**
 * Questions that a file system may leave unanswered for ever, as a network disk does that is gone: each is asked again only
 * when it was answered, so that they never take all the threads that the log's own writes need.
 */
export class InTime {
  readonly #clock: Clock
  readonly #open = new Map<string, Promise<unknown>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Null when it can't be told, or not in time. `what` names the question. */
  async answer<Answer>(what: string, ask: () => Promise<Answer>): Promise<Answer | null> {
    const asked = (this.#open.get(what) as Promise<Answer> | undefined) ?? this.#ask(what, ask)
    let answer: Answer | null = null
    await within(this.#clock, answerTimeoutMs, asked.then((value) => void (answer = value), () => {}))
    return answer
  }

  #ask<Answer>(what: string, ask: () => Promise<Answer>): Promise<Answer> {
    const asked = (async () => ask())().finally(() => this.#open.delete(what))
    this.#open.set(what, asked)
    return asked
  }
}
