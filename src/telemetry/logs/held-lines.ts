import type { Clock, Timer } from '../../core/clock.ts'
import type { ByteSink } from '../../core/logger.ts'

/**
 * Lines on their way out. Each is written on the spot as long as somebody reads, so that an end of any kind loses none; while
 * nobody does they are held, and past a bound the oldest are lost and counted: a node must not stop for want of a reader, and
 * its last words matter most.
 */

export interface HeldLinesOptions {
  readonly clock: Clock
  readonly sink: ByteSink
  /** For so long the whole process may be held up. */
  readonly holdUp: (ms: number) => void
  /** Lines were lost, and are taken again: says so in a line of its own, on the spot, or not at all. */
  readonly onLost: (lines: number) => void
}

/** Some thousand lines: what a node says in hours, and nothing beside what connections hold. */
const heldBytesMax = 1_048_576
/** What is kept when that is too much: room for many lines is made at once. */
const keptBytes = (heldBytesMax / 8) * 7
/** A reader that reads on gets twenty pipes full of it a second and more, since each write goes on until the pipe is full. */
const retryMs = 50
/** An end waits this long for a reader, altogether. */
const flushPatienceMs = 1_000
const flushStepMs = 10
const lineEnd = Buffer.from('\n')

export class HeldLines {
  readonly #options: HeldLinesOptions
  readonly #held: Uint8Array[] = []
  #heldBytes = 0
  /** How much of the first one is written. */
  #firstTaken = 0
  /** How many lost lines the first one tells of; 0: it is any other line. */
  #firstTellsOf = 0
  #lost = 0
  #isTelling = false
  #retry: Timer | null = null
  /** The last write ended in the middle of a line that was then given up. */
  #isTorn = false

  constructor(options: HeldLinesOptions) {
    this.#options = options
  }

  /** One or more whole lines with their line end. Never throws, never waits. */
  write(line: string): void {
    const bytes = Buffer.from(line)
    this.#heldBytes += bytes.length
    if (this.#isTelling) {
      // Where the lost ones would have been.
      this.#held.unshift(bytes)
      this.#firstTellsOf = this.#lost
      return
    }
    this.#held.push(bytes)
    if (this.#heldBytes > heldBytesMax) this.#loseOldest()
    if (this.#retry === null) this.#drain()
  }

  /** For the last moments of a process: waits for a reader, but not for long. */
  flush(): void {
    this.#drain()
    for (let waitedMs = 0; this.#held.length > 0 && waitedMs < flushPatienceMs; waitedMs += flushStepMs) {
      this.#options.holdUp(flushStepMs)
      this.#drain()
    }
  }

  /** Writes what is held until nothing more is taken, and comes back to the rest later. */
  #drain(): void {
    while (this.#held.length > 0) {
      const outcome = this.#writeFirst()
      if (outcome === 'full') {
        // Not one that keeps the process alive: what is still held at the end gets its last chance in flush().
        this.#retry ??= this.#options.clock.every(retryMs, () => this.#drain())
        return
      }
      if (outcome === 'taken' && this.#lost > 0) this.#tell()
    }
    this.#retry?.[Symbol.dispose]()
    this.#retry = null
  }

  #writeFirst(): 'taken' | 'full' | 'lost' {
    const line = this.#held[0]!
    try {
      if (this.#isTorn && this.#options.sink.write(lineEnd) === 0) return 'full'
      this.#isTorn = false
      while (this.#firstTaken < line.length) {
        const taken = this.#options.sink.write(line.subarray(this.#firstTaken))
        if (taken === 0) return 'full'
        this.#firstTaken += taken
      }
    } catch {
      // No reader any more, or no room on the disk. There is nobody to tell until a line is taken again.
      this.#isTorn ||= this.#firstTaken > 0
      this.#lost += Math.max(this.#firstTellsOf, 1)
      this.#dropFirst(line)
      return 'lost'
    }
    this.#dropFirst(line)
    return 'taken'
  }

  /** Not the first one, which may be written in part, and not the newest. */
  #loseOldest(): void {
    let lost = 0
    while (this.#heldBytes > keptBytes && lost < this.#held.length - 2) {
      lost += 1
      this.#heldBytes -= this.#held[lost]!.length
    }
    this.#held.splice(1, lost)
    this.#lost += lost
  }

  #dropFirst(line: Uint8Array): void {
    this.#held.shift()
    this.#heldBytes -= line.length
    this.#firstTaken = 0
    this.#firstTellsOf = 0
  }

  #tell(): void {
    this.#isTelling = true
    this.#options.onLost(this.#lost)
    this.#isTelling = false
    this.#lost = 0
  }
}
