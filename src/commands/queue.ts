/** Runs what it is given one after the other, in the order of the calls, and takes only so many at once. */
export class Queue {
  readonly #most: number
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()

  /** `most`: with the one that runs. */
  constructor(most: number) {
    this.#most = most
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Null when as many wait as may; then it never runs. */
  run<Result>(task: () => Promise<Result>): Promise<Result> | null {
    if (this.#waiting >= this.#most) return null
    this.#waiting += 1
    const result = this.#last.then(task)
    this.#last = result.then(
      () => void (this.#waiting -= 1),
      () => void (this.#waiting -= 1),
    )
    return result
  }

  /** Resolves when everything that was taken has run. */
  async idle(): Promise<void> {
    while (this.#waiting > 0) await this.#last
  }
}
