import { sleep, type Clock } from '../../../core/clock.ts'
import { isClientError } from './broker-errors.ts'
import type { KafkaClient } from './client.ts'

/** How long somebody who wants an answer now waits for brokers that give none. */

const triesMax = 10
const againMs = 500
/** A broker that restarts, or a leader that moves, takes less. */
const silentMsMax = 30_000

export interface Asked {
  readonly client: Pick<KafkaClient, 'faultOf'>
  readonly clock: Clock
}

/** Asks until it is answered: a topic that was made a moment ago, or a leader that moves, is there at the next try. Else a `Fault` says why not. */
export async function patiently<Result>({ client, clock }: Asked, ask: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!isClientError(error)) throw error
      if (tries >= triesMax) throw client.faultOf(error)
    }
    await sleep(clock, againMs)
  }
}

/** That of one reader, which is told of every answer and of every try that brought none. */
export class Patience {
  readonly #asked: Asked
  #sinceMs: number | null = null

  constructor(asked: Asked) {
    this.#asked = asked
  }

  /** `problem`: null where the brokers answer. Throws a `Fault` once there was one for too long. */
  look(problem: unknown): void {
    const { client, clock } = this.#asked
    if (problem === null) this.#sinceMs = null
    else this.#sinceMs ??= clock.monotonicMs()
    if (this.#sinceMs !== null && clock.monotonicMs() >= this.#sinceMs + silentMsMax) throw client.faultOf(problem)
  }
}
