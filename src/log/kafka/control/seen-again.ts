import type { ChainLink } from '../../../../events/envelope.ts'

/**
 * Counts which of the records that a copy has come again from a topic that is read from its beginning. Those of one
 * source come in its order, whoever sends them, so no list of all is needed.
 */
export class SeenAgain {
  readonly #next = new Map<string, number>()
  readonly #odd = new Set<string>()
  #inOrder = 0

  get count(): number {
    return this.#inOrder + this.#odd.size
  }

  /** `odd`: names the record, where it does not continue its source; null: it does. */
  note({ sequence, source }: ChainLink, odd: string | null): void {
    if (odd !== null) this.#odd.add(odd)
    else if (sequence >= (this.#next.get(source) ?? 0)) {
      this.#next.set(source, sequence + 1)
      this.#inOrder += 1
    }
  }
}
