/** What a memory disk is made of: file contents and folders, each as programs see it and as the medium has it. */

/** Uniform in [0, 1): decides what survives of what was not synced. */
export type DropUnsynced = () => number

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number }

const roomBytesMin = 4_096

/** Bytes that grow at their end without being copied each time. */
class GrowingBytes {
  #room: Buffer = Buffer.alloc(0)
  #length = 0

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length)
  }

  apply(change: Change): void {
    if ('length' in change) this.#resize(change.length)
    else {
      this.#resize(Math.max(this.#length, change.at + change.bytes.length))
      this.#room.set(change.bytes, change.at)
    }
  }

  replace(bytes: Uint8Array): void {
    this.#room = Buffer.from(bytes)
    this.#length = bytes.length
  }

  #resize(length: number): void {
    if (length > this.#room.length) {
      const room = Buffer.alloc(Math.max(length, this.#room.length * 2, roomBytesMin))
      this.#room.copy(room, 0, 0, this.#length)
      this.#room = room
    } else if (length < this.#length) this.#room.fill(0, length, this.#length)
    this.#length = length
  }
}

export class MemoryContent {
  readonly #seen = new GrowingBytes()
  readonly #durable = new GrowingBytes()
  /** Since the last sync, in order. */
  #dirty: Change[] = []

  /** As programs read it. Good until the next change. */
  get bytes(): Buffer {
    return this.#seen.bytes
  }
  /** What is on the medium for certain. Good until the next change. */
  get durable(): Buffer {
    return this.#durable.bytes
  }

  write(bytes: Uint8Array, at: number): void {
    this.#change({ at, bytes: Uint8Array.from(bytes) })
  }
  truncate(length: number): void {
    this.#change({ length })
  }
  sync(): void {
    for (const change of this.#dirty) this.#durable.apply(change)
    this.#dirty = []
  }
  /** As Linux does: the pages count as clean although they were not written; reads still see them. */
  failSync(): void {
    this.#dirty = []
  }
  replaceAll(bytes: Uint8Array): void {
    this.#seen.replace(bytes)
    this.#durable.replace(bytes)
    this.#dirty = []
  }
  /** Some first changes survive, and of the next one some first bytes. */
  crash(drop: DropUnsynced): void {
    const whole = Math.floor(drop() * (this.#dirty.length + 1))
    for (const change of this.#dirty.slice(0, whole)) this.#durable.apply(change)
    const torn = this.#dirty[whole]
    if (torn !== undefined && 'bytes' in torn) {
      const bytes = torn.bytes.subarray(0, Math.floor(drop() * torn.bytes.length))
      this.#durable.apply({ at: torn.at, bytes })
      // The size may reach the medium before the bytes do.
      if (drop() < 0.25) this.#durable.apply({ length: torn.at + torn.bytes.length })
    }
    this.#seen.replace(this.#durable.bytes)
    this.#dirty = []
  }

  #change(change: Change): void {
    this.#seen.apply(change)
    this.#dirty.push(change)
  }
}

type Names = Map<string, MemoryContent>
type NameChange = (names: Names) => void

export class MemoryFolder {
  #names: Names = new Map()
  readonly #durable: Names = new Map()
  #dirty: NameChange[] = []

  names(): string[] {
    return [...this.#names.keys()]
  }
  contents(): MemoryContent[] {
    return [...this.#names.values()]
  }
  get(name: string): MemoryContent | undefined {
    return this.#names.get(name)
  }
  /** The names that are on the medium for certain. */
  get durable(): ReadonlyMap<string, MemoryContent> {
    return this.#durable
  }
  put(name: string, content: MemoryContent | undefined): void {
    this.#change((names) => void (content === undefined ? names.delete(name) : names.set(name, content)))
  }
  /** One step on the medium too. */
  move(from: string, to: string, content: MemoryContent): void {
    this.#change((names) => {
      names.delete(from)
      names.set(to, content)
    })
  }
  sync(): void {
    for (const change of this.#dirty) change(this.#durable)
    this.#dirty = []
  }
  /** Each change survives or not by itself: POSIX promises no order before the folder is synced. */
  crash(drop: DropUnsynced): void {
    for (const change of this.#dirty) if (drop() >= 0.5) change(this.#durable)
    this.#dirty = []
    for (const content of new Set(this.#durable.values())) content.crash(drop)
    this.#names = new Map(this.#durable)
  }

  #change(change: NameChange): void {
    change(this.#names)
    this.#dirty.push(change)
  }
}
