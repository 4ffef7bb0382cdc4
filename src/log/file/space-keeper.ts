import type { Clock, Timer } from '../../core/clock.ts'
import { writeFully, type Disk } from '../../core/disk.ts'
import { errnoOf } from '../../core/errors.ts'
import type { CommitFailure } from '../commit-store.ts'
import type { SpaceLow } from '../node-log.ts'

/**
 * Keeps a reserve of real bytes for what has to be written when the disk is full: freed then, made again before
 * anything but owed records is taken. Says early when space gets low.
 */

const checkMs = 5_000
/** How often a full disk is looked at. */
const fullCheckMs = 1_000
/** Space is no longer low when a tenth more than the threshold is free: not a record for every byte around it. */
const recoveredFactor = 1.1
const blockBytes = 1024 * 1024

export interface SpaceKeeperOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly folder: string
  readonly reserveBytes: number
  /** Free besides the reserve before the disk counts as not full. */
  readonly marginBytes: number
  readonly spaceLowBytes: number
  readonly onFull: (failure: CommitFailure) => void
  readonly onRoom: () => void
}

export class SpaceKeeper {
  readonly #options: SpaceKeeperOptions
  readonly #path: string
  readonly #lowListeners = new Set<(space: SpaceLow) => void>()
  #low: SpaceLow | null = null
  #full = false
  #checking = false
  #closed = false
  #timer: Timer | null = null

  constructor(options: SpaceKeeperOptions) {
    this.#options = options
    this.#path = `${options.folder}/reserve`
  }

  /** True from a full disk until the reserve is whole again. */
  get full(): boolean {
    return this.#full
  }

  /** Makes the reserve when it is missing, and begins to watch. */
  async start(): Promise<void> {
    const length = await this.#reserveLength()
    if (length !== this.#options.reserveBytes) {
      try {
        await this.#options.disk.remove(this.#path)
        await this.#makeReserve()
      } catch (error) {
        await this.noteFailure({ code: errnoOf(error), syscall: 'write', cause: error })
      }
    }
    await this.#check()
    this.#watch()
  }

  /** Frees the reserve when the disk has no room, so that the next try of what is owed finds some. */
  async noteFailure(failure: CommitFailure): Promise<void> {
    if (!isFull(failure.code) || this.#closed) return
    if (!this.#full) {
      this.#full = true
      this.#options.onFull(failure)
      this.#watch()
    }
    // A failure to remove it is the disk's own trouble, and the next failed write comes here again.
    await this.#options.disk.remove(this.#path).catch(() => {})
  }

  onSpaceLow(listener: (space: SpaceLow) => void): Disposable {
    this.#lowListeners.add(listener)
    if (this.#low !== null) listener(this.#low)
    return { [Symbol.dispose]: () => void this.#lowListeners.delete(listener) }
  }

  stop(): void {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
  }

  #watch(): void {
    this.#timer?.[Symbol.dispose]()
    if (this.#closed) return
    this.#timer = this.#options.clock.every(this.#full ? fullCheckMs : checkMs, () => void this.#check())
  }

  async #check(): Promise<void> {
    if (this.#checking || this.#closed) return
    this.#checking = true
    try {
      const space = await this.#options.disk.space(this.#options.folder)
      this.#judge(space)
      if (this.#full) await this.#recover(space.freeBytes)
    } catch {
      // Not knowing how much is free is no reason to stop: a write that finds no room says so.
    } finally {
      this.#checking = false
    }
  }

  #judge({ freeBytes, totalBytes }: { freeBytes: number; totalBytes: number }): void {
    const thresholdBytes = this.#options.spaceLowBytes
    if (this.#low !== null && freeBytes > thresholdBytes * recoveredFactor) this.#low = null
    if (this.#low !== null || freeBytes >= thresholdBytes) return
    this.#low = { freeBytes, thresholdBytes, totalBytes }
    for (const listener of this.#lowListeners) listener(this.#low)
  }

  async #recover(freeBytes: number): Promise<void> {
    const { reserveBytes, marginBytes, disk, onRoom } = this.#options
    if (freeBytes < reserveBytes + marginBytes) return
    try {
      await disk.remove(this.#path)
      await this.#makeReserve()
    } catch {
      await disk.remove(this.#path).catch(() => {})
      return
    }
    if (this.#closed) return
    this.#full = false
    this.#watch()
    onRoom()
  }

  async #makeReserve(): Promise<void> {
    const { disk, folder, reserveBytes } = this.#options
    if (reserveBytes === 0) return
    {
      await using file = await disk.create(this.#path)
      for (let at = 0; at < reserveBytes; at += blockBytes) {
        await writeFully(file, noise(Math.min(blockBytes, reserveBytes - at), at + 1), at)
      }
      await file.sync()
    }
    await disk.syncFolder(folder)
  }

  async #reserveLength(): Promise<number> {
    try {
      await using file = await this.#options.disk.openToRead(this.#path)
      return await file.size()
    } catch {
      return 0
    }
  }
}

function isFull(code: string): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Bytes that no file system compresses or leaves out (xorshift32): the reserve has to take the room it promises. */
function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = seed
  for (let index = 0; index < words.length; index += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}
