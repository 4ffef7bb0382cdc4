/**
 * What the log needs of a file system, and no more. Every call may reject with an error that carries an errno `code`
 * (`ENOSPC`, `EIO`, `EMFILE`, ...). Tests and the simulation replace it to make each call fail once.
 */
export interface Disk {
  /** Opens an existing file for reading. Rejects with `ENOENT` when there is none. */
  openToRead(path: string): Promise<File>
  /** Opens an existing file for reading and writing. */
  openToWrite(path: string): Promise<File>
  /** Creates a file that must not exist yet (`EEXIST`), mode 0600. The name is durable after `syncFolder`. */
  create(path: string): Promise<File>
  /** Creates the folder and its parents, mode 0700; fine when it exists. */
  makeFolder(path: string): Promise<void>
  /** Names in a folder, sorted by code unit. Rejects with `ENOENT` when there is none. */
  list(folder: string): Promise<readonly string[]>
  /** Replaces `to` when it exists, in one step. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file; fine when there is none. */
  remove(path: string): Promise<void>
  /** Makes names created, renamed or removed in the folder durable. */
  syncFolder(folder: string): Promise<void>
  /** Free and total bytes of the file system that holds the folder, as an ordinary user may use them. */
  space(folder: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
  /**
   * Takes the exclusive lock of a folder, which ends with the process however it ends.
   * Resolves null when somebody else holds it after `waitMs`.
   */
  lock(folder: string, waitMs: number): Promise<Disposable | null>
}

/** Disposing it closes it and never rejects: what has to be kept was synced before, and the descriptor is gone either way. */
export interface File extends AsyncDisposable {
  size(): Promise<number>
  /** Reads at most `into.length` bytes from offset `at`; 0 means the end of the file. May be short. */
  read(into: Uint8Array, at: number): Promise<number>
  /** Writes from offset `at`; resolves with how many bytes were taken, which may be fewer than given. */
  write(bytes: Uint8Array, at: number): Promise<number>
  truncate(length: number): Promise<void>
  /** Resolves when the content is on the medium (`fdatasync`). After a rejection nothing is known about what is. */
  sync(): Promise<void>
}

/** Reads a whole small file. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer> {
  await using file = await disk.openToRead(path)
  const bytes = Buffer.alloc(await file.size())
  let length = 0
  while (length < bytes.length) {
    const taken = await file.read(bytes.subarray(length), length)
    if (taken === 0) break
    length += taken
  }
  return bytes.subarray(0, length)
}

/** Writes all of `bytes` at `at`, over as many short writes as it takes. */
export async function writeFully(file: File, bytes: Uint8Array, at: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const taken = await file.write(written === 0 ? bytes : bytes.subarray(written), at + written)
    if (taken === 0) throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' })
    written += taken
  }
}

/** Makes a small file hold exactly `bytes`, or leaves what was there: written beside it, synced, renamed. */
export async function replaceFile(disk: Disk, folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${folder}/${name}.tmp`
  await disk.remove(temporary)
  {
    await using file = await disk.create(temporary)
    await writeFully(file, bytes, 0)
    await file.sync()
  }
  await disk.rename(temporary, `${folder}/${name}`)
  await disk.syncFolder(folder)
}
