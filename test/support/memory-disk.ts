import type { Disk, File } from '../../src/core/disk.ts'
import { MemoryFolder, MemoryContent, type DropUnsynced } from './memory-disk-content.ts'

/**
 * A machine's file system in memory that keeps apart what programs read and what would survive a loss of power, and that fails
 * wherever a test wants it to.
 */

export type DiskCallKind =
  | 'close' | 'create' | 'list' | 'lock' | 'makeFolder' | 'openToRead' | 'openToWrite' | 'read' | 'remove' | 'rename'
  | 'size' | 'space' | 'sync' | 'syncFolder' | 'truncate' | 'write'

export interface DiskCall {
  /** Counts all calls, from 1. */
  readonly number: number
  readonly kind: DiskCallKind
  readonly path: string
}

/** What befalls a call: an errno, after `taken` bytes of a write were stored (a short write when there is no code). */
export interface DiskFault {
  readonly code?: string
  readonly taken?: number
  /** A failed sync that reached the medium all the same. */
  readonly kept?: boolean
  /** A sync that says yes and did nothing. */
  readonly lies?: boolean
  /** What the call waits for before it does anything. */
  readonly starts?: Promise<void>
  /** What the answer waits for when all is done. */
  readonly answers?: Promise<void>
}

/** Asked before every call; null lets it be. */
export type FaultPlan = (call: DiskCall) => DiskFault | null

export class MemoryDisk {
  plan: FaultPlan = () => null
  /** Content bytes that fit. */
  capacityBytes: number
  /** Calls so far. */
  calls = 0
  /** Calls that have begun and not ended, or never will: those of the living process. */
  busy = 0
  /** While set, calls begin and do not end. */
  gate: Promise<void> | null = null
  readonly #folders = new Map<string, MemoryFolder>()
  readonly #locked = new Set<string>()
  /** Files that the living process has open. */
  #opened = 0
  #life = 0

  constructor(capacityBytes = Infinity) {
    this.capacityBytes = capacityBytes
  }

  /** The disk as one process sees it: after a `crash` that process gets no more answers. */
  attach(): Disk {
    return new ProcessDisk(this, this.#life)
  }

  /**
   * The process dies. With a function: the power goes too, and what was not synced is lost or torn, as it says;
   * otherwise the page cache stays.
   */
  crash(drop: DropUnsynced | 'process_only'): void {
    this.#life += 1
    this.#locked.clear()
    this.#opened = 0
    this.busy = 0
    this.plan = () => null
    this.gate = null
    if (drop === 'process_only') return
    for (const folder of this.#folders.values()) folder.crash(drop)
  }

  /** Bytes as a reader sees them now. */
  content(path: string): Buffer {
    return this.entry(path).bytes
  }
  /** Changes bytes behind everybody's back, on the medium too. */
  tamper(path: string, change: (bytes: Buffer) => Buffer): void {
    this.entry(path).replaceAll(change(Buffer.from(this.entry(path).bytes)))
  }
  names(folder: string): string[] {
    return (this.#folders.get(folder)?.names() ?? []).sort()
  }
  /** What a folder would hold if the power went now and nothing unsynced survived. */
  durable(folder: string): Map<string, Buffer> {
    const names = this.#folders.get(folder)?.durable ?? new Map<string, MemoryContent>()
    return new Map([...names].map(([name, content]) => [name, content.durable]))
  }
  get usedBytes(): number {
    const contents = new Set<MemoryContent>()
    for (const folder of this.#folders.values()) for (const content of folder.contents()) contents.add(content)
    let bytes = 0
    for (const content of contents) bytes += content.bytes.length
    return bytes
  }
  /** What a process that lives holds on to: it should be nothing once it has ended in order. */
  get held(): { readonly files: number; readonly locks: number } {
    return { files: this.#opened, locks: this.#locked.size }
  }

  /** One call of a process: counted, failed if the plan says so, and without effect once the process is dead. */
  async call<Result>(life: number, kind: DiskCallKind, path: string, effect: (fault: DiskFault) => Result): Promise<Result> {
    await this.gate
    if (life !== this.#life) return new Promise<never>(() => {})
    this.calls += 1
    const fault = this.plan({ number: this.calls, kind, path })
    // The plan may be what ends the process.
    if (fault === null && life === this.#life) return effect(noFault)
    return this.#faulty(life, kind, path, effect, fault ?? noFault)
  }

  async #faulty<Result>(
    life: number, kind: DiskCallKind, path: string, effect: (fault: DiskFault) => Result, fault: DiskFault,
  ): Promise<Result> {
    if (life !== this.#life) return new Promise<never>(() => {})
    this.busy += 1
    if (fault.starts !== undefined) await fault.starts
    if (life !== this.#life) return new Promise<never>(() => {})
    const done = outcomeOf(() => {
      if (fault.code !== undefined && kind !== 'write' && kind !== 'sync') throw errno(fault.code, path)
      return effect(fault)
    })
    if (fault.answers !== undefined) await fault.answers
    if (life !== this.#life) return new Promise<never>(() => {})
    this.busy -= 1
    if ('error' in done) throw done.error
    return done.result
  }

  // What follows is for the processes' disks.

  opened(life: number, change: 1 | -1): void {
    if (life === this.#life) this.#opened += change
  }
  get folders(): ReadonlyMap<string, MemoryFolder> {
    return this.#folders
  }
  makeFolder(path: string): void {
    if (!this.#folders.has(path)) this.#folders.set(path, new MemoryFolder())
  }
  entry(path: string): MemoryContent {
    const content = this.folderOf(path).get(nameOf(path))
    if (content === undefined) throw errno('ENOENT', path)
    return content
  }
  folderOf(path: string): MemoryFolder {
    const folder = this.#folders.get(path.slice(0, path.lastIndexOf('/')))
    if (folder === undefined) throw errno('ENOENT', path)
    return folder
  }
  lock(folder: string): Disposable | null {
    if (this.#locked.has(folder)) return null
    this.#locked.add(folder)
    const life = this.#life
    return { [Symbol.dispose]: () => void (life === this.#life && this.#locked.delete(folder)) }
  }
}

class ProcessDisk implements Disk {
  readonly #disk: MemoryDisk
  readonly #life: number

  constructor(disk: MemoryDisk, life: number) {
    this.#disk = disk
    this.#life = life
  }

  openToRead(path: string): Promise<File> {
    return this.#call('openToRead', path, () => this.#file(path, this.#disk.entry(path)))
  }
  openToWrite(path: string): Promise<File> {
    return this.#call('openToWrite', path, () => this.#file(path, this.#disk.entry(path)))
  }
  create(path: string): Promise<File> {
    return this.#call('create', path, () => {
      const folder = this.#disk.folderOf(path)
      if (folder.get(nameOf(path)) !== undefined) throw errno('EEXIST', path)
      const content = new MemoryContent()
      folder.put(nameOf(path), content)
      return this.#file(path, content)
    })
  }
  makeFolder(path: string): Promise<void> {
    return this.#call('makeFolder', path, () => this.#disk.makeFolder(path))
  }
  list(folder: string): Promise<readonly string[]> {
    return this.#call('list', folder, () => {
      const found = this.#disk.folders.get(folder)
      if (found === undefined) throw errno('ENOENT', folder)
      const below = [...this.#disk.folders.keys()].filter((path) => path.startsWith(`${folder}/`)).map(nameOf)
      return [...found.names(), ...below].sort()
    })
  }
  rename(from: string, to: string): Promise<void> {
    return this.#call('rename', to, () => this.#disk.folderOf(from).move(nameOf(from), nameOf(to), this.#disk.entry(from)))
  }
  remove(path: string): Promise<void> {
    return this.#call('remove', path, () => this.#disk.folderOf(path).put(nameOf(path), undefined))
  }
  syncFolder(folder: string): Promise<void> {
    return this.#call('syncFolder', folder, () => this.#disk.folders.get(folder)?.sync())
  }
  space(folder: string): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#call('space', folder, () => {
      const { capacityBytes, usedBytes } = this.#disk
      return { freeBytes: Math.max(0, capacityBytes - usedBytes), totalBytes: capacityBytes }
    })
  }
  lock(folder: string): Promise<Disposable | null> {
    return this.#call('lock', folder, () => this.#disk.lock(folder))
  }

  #call<Result>(kind: DiskCallKind, path: string, effect: () => Result): Promise<Result> {
    return this.#disk.call(this.#life, kind, path, effect)
  }
  #file(path: string, content: MemoryContent): File {
    this.#disk.opened(this.#life, 1)
    return new MemoryFile(this.#disk, this.#life, path, content)
  }
}

class MemoryFile implements File {
  readonly #disk: MemoryDisk
  readonly #life: number
  readonly #path: string
  readonly #content: MemoryContent
  #open = true

  constructor(disk: MemoryDisk, life: number, path: string, content: MemoryContent) {
    this.#disk = disk
    this.#life = life
    this.#path = path
    this.#content = content
  }

  size(): Promise<number> {
    return this.#call('size', () => this.#content.bytes.length)
  }
  read(into: Uint8Array, at: number): Promise<number> {
    return this.#call('read', () => {
      const part = this.#content.bytes.subarray(at, at + into.length)
      into.set(part)
      return part.length
    })
  }
  write(bytes: Uint8Array, at: number): Promise<number> {
    return this.#call('write', ({ code, taken = code === undefined ? bytes.length : 0 }) => {
      const fits = this.#disk.capacityBytes === Infinity ? bytes.length : this.#fitting(bytes, at)
      const stored = Math.max(0, Math.min(taken, fits, bytes.length))
      if (stored > 0) this.#content.write(bytes.subarray(0, stored), at)
      if (code !== undefined) throw errno(code, this.#path)
      if (stored === 0 && bytes.length > 0) throw errno('ENOSPC', this.#path)
      return stored
    })
  }
  #fitting(bytes: Uint8Array, at: number): number {
    const grows = at + bytes.length - this.#content.bytes.length
    return bytes.length - Math.max(0, grows - (this.#disk.capacityBytes - this.#disk.usedBytes))
  }
  truncate(length: number): Promise<void> {
    return this.#call('truncate', () => this.#content.truncate(length))
  }
  sync(): Promise<void> {
    return this.#call('sync', ({ code, kept, lies }) => {
      if (lies === true) return
      if (code === undefined || kept === true) this.#content.sync()
      else this.#content.failSync()
      if (code !== undefined) throw errno(code, this.#path)
    })
  }
  /** The descriptor is gone whatever close answers. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#disk.call(this.#life, 'close', this.#path, () => {}).catch(() => {})
    this.#disk.opened(this.#life, -1)
  }

  #call<Result>(kind: DiskCallKind, effect: (fault: DiskFault) => Result): Promise<Result> {
    return this.#disk.call(this.#life, kind, this.#path, effect)
  }
}

const noFault: DiskFault = {}

function outcomeOf<Result>(work: () => Result): { readonly result: Result } | { readonly error: unknown } {
  try {
    return { result: work() }
  } catch (error) {
    return { error }
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
