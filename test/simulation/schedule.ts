/**
 * Virtual time: a queue of what will happen, taken in order. Time jumps from one to the next; in between, everything
 * that waits for nothing but promises runs to its end.
 */

interface Entry {
  readonly dueMs: number
  readonly order: number
  run: (() => void) | null
}

export class Schedule {
  #nowMs = 0
  #order = 0
  readonly #heap: Entry[] = []

  /** Milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Runs once after `delayMs`, unless it is disposed before. */
  after(delayMs: number, run: () => void): Disposable {
    const entry: Entry = { dueMs: this.#nowMs + Math.max(0, delayMs), order: (this.#order += 1), run }
    this.#push(entry)
    return { [Symbol.dispose]: () => void (entry.run = null) }
  }

  /** Goes on until `isOver` says so (asked when nothing runs) or `untilMs` has come; true when it was over. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<boolean> {
    await quiescence()
    for (;;) {
      if (isOver()) return true
      const next = this.#next(untilMs)
      if (next === null) break
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      const { run } = next
      next.run = null
      run?.()
      await quiescence()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
    return isOver()
  }

  #next(untilMs: number): Entry | null {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || (first.run !== null && first.dueMs > untilMs)) return null
      this.#pop()
      if (first.run !== null) return first
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(entry, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order)
}

/**
 * One turn of the event loop is enough: nothing in a simulated world waits for threads, sockets or files, and Node runs
 * all promise reactions, also those made meanwhile, before it takes the next turn.
 */
function quiescence(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
