import type { DiskCall, DiskFault, MemoryDisk } from '../support/memory-disk.ts'
import type { Life } from './life.ts'
import type { Options, TroubleWindow } from './options.ts'
import type { Schedule } from './schedule.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What befalls the disk of a simulated machine while the world is in its safety phase. */
export class DiskTroubles {
  readonly #disk: MemoryDisk
  readonly #schedule: Schedule
  readonly #random: SeededRandom
  readonly #options: Options
  /** From here on nothing goes wrong any more. */
  #over = false
  readonly #stalled = new Set<() => void>()

  constructor(disk: MemoryDisk, schedule: Schedule, random: SeededRandom, options: Options) {
    this.#disk = disk
    this.#schedule = schedule
    this.#random = random
    this.#options = options
    for (const window of options.diskTroubles) if (window.trouble === 'full') this.#fill(window)
  }

  /** Makes the disk what it is for this process life. */
  attend(life: Life): void {
    this.#disk.plan = (call) => (life.touch() ? this.#faultOf(call) : null)
  }

  end(): void {
    this.#over = true
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY
    for (const release of this.#stalled) release()
    this.#stalled.clear()
  }

  #faultOf({ kind, path }: DiskCall): DiskFault | null {
    // Compressing works with threads, whose turns no seed decides: here closed segments stay as they are.
    if (kind === 'create' && path.endsWith('.jsonl.zst.tmp')) return { code: 'EROFS' }
    if (this.#options.diskLies && kind === 'sync') return { lies: true }
    const latency = this.#latency()
    if (this.#over) return latency
    for (const window of this.#options.diskTroubles) {
      const { fromMs, probability, trouble, untilMs } = window
      if (this.#schedule.nowMs < fromMs || this.#schedule.nowMs >= untilMs || !this.#random.chance(probability)) continue
      const fault = this.#trouble(trouble, kind, untilMs)
      if (fault !== null) return { ...latency, ...fault }
    }
    return latency
  }

  /** Half of the time the call waits before it does something, half of the time its answer is late. */
  #latency(): DiskFault | null {
    const { diskLatencyMs } = this.#options
    if (diskLatencyMs === 0) return null
    const waits = this.#wait(this.#random.float() * diskLatencyMs)
    return this.#random.chance(0.5) ? { starts: waits } : { answers: waits }
  }

  #trouble(trouble: TroubleWindow['trouble'], kind: DiskCall['kind'], untilMs: number): DiskFault | null {
    const random = this.#random
    switch (trouble) {
      case 'errors':
        if (kind === 'lock' || kind === 'space') return null
        return { code: 'EIO', ...(kind === 'write' ? { taken: random.integer(0, 600) } : {}), kept: random.chance(0.5) }
      case 'sync_fails':
        return kind === 'sync' ? { code: 'EIO', kept: random.chance(0.5) } : null
      case 'short_writes':
        return kind === 'write' ? { taken: random.integer(1, 600) } : null
      case 'slow':
        return { [random.pick(['starts', 'answers'] as const)]: this.#wait(random.float() * 800) }
      case 'stalled':
        return { [random.pick(['starts', 'answers'] as const)]: this.#stall(untilMs) }
      case 'full':
        return null
    }
  }

  /** Somebody else takes all the room but a little, and gives it back. */
  #fill({ fromMs, untilMs }: TroubleWindow): void {
    this.#schedule.after(fromMs, () => {
      if (!this.#over) this.#disk.capacityBytes = this.#disk.usedBytes + this.#random.integer(0, 3_000)
    })
    this.#schedule.after(untilMs, () => {
      this.#disk.capacityBytes = Number.POSITIVE_INFINITY
    })
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#schedule.after(ms, resolve))
  }

  #stall(untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const release = (): void => {
        this.#stalled.delete(release)
        resolve()
      }
      this.#stalled.add(release)
      this.#schedule.after(untilMs - this.#schedule.nowMs, release)
    })
  }
}
