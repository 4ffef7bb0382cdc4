/** What a memory disk is made of: file contents and folders, each as programs see it and as the medium has it. */

/** Uniform in [0, 1): decides what survives of what was not synced. */
export type DropUnsynced = () => number

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly length: number }

export class MemoryContent {
  bytes: Buffer = Buffer.alloc(0)
  #durable: Buffer = Buffer.alloc(0)
  /** Since the last sync, in order. */
  #dirty: Change[] = []

  write(bytes: Uint8Array, at: number): void {
    this.#change({ at, bytes: Buffer.from(bytes) })
  }
  truncate(length: number): void {
    this.#change({ length })
  }
  sync(): void {
    for (const change of this.#dirty) this.#durable = applied(this.#durable, change)
    this.#dirty = []
  }
  /** As Linux does: the pages count as clean although they were not written; reads still see them. */
  failSync(): void {
    this.#dirty = []
  }
  replaceAll(bytes: Buffer): void {
    this.bytes = bytes
    this.#durable = bytes
    this.#dirty = []
  }
  /** Some first changes survive, and of the next one some first bytes. */
  crash(drop: DropUnsynced): void {
    const whole = Math.floor(drop() * (this.#dirty.length + 1))
    for (const change of this.#dirty.slice(0, whole)) this.#durable = applied(this.#durable, change)
    const torn = this.#dirty[whole]
    if (torn !== undefined && 'bytes' in torn) {
      const bytes = torn.bytes.subarray(0, Math.floor(drop() * torn.bytes.length))
      this.#durable = applied(this.#durable, { at: torn.at, bytes })
      // The size may reach the medium before the bytes do.
      if (drop() < 0.25) this.#durable = applied(this.#durable, { length: torn.at + torn.bytes.length })
    }
    this.bytes = this.#durable
    this.#dirty = []
  }

  #change(change: Change): void {
    this.bytes = applied(this.bytes, change)
    this.#dirty.push(change)
  }
}

function applied(bytes: Buffer, change: Change): Buffer {
  const length = 'length' in change ? change.length : Math.max(bytes.length, change.at + change.bytes.length)
  const result = Buffer.alloc(length)
  bytes.copy(result, 0, 0, length)
  if ('bytes' in change) change.bytes.copy(result, change.at)
  return result
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
