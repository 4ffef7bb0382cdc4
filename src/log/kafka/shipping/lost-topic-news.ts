import type { TopicLost } from '../../cluster-log.ts'

/** Who is told of topics that have to be filled again. A start finds that out before there is anybody to listen. */

type Listener = (lost: TopicLost) => void

export class LostTopicNews {
  readonly #listeners = new Set<Listener>()
  /** Those nobody was told of, the newest of each topic. */
  readonly #untold = new Map<string, TopicLost>()

  tell(lost: TopicLost): void {
    if (this.#listeners.size === 0) this.#untold.set(lost.topic, lost)
    for (const listener of this.#listeners) listener(lost)
  }

  listen(listener: Listener): Disposable {
    this.#listeners.add(listener)
    for (const lost of this.#untold.values()) listener(lost)
    this.#untold.clear()
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}
