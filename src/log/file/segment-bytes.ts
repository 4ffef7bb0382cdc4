import { Readable, pipeline, type Transform } from 'node:stream'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { writeFully, type Disk, type File } from '../../core/disk.ts'
import { errnoOf, messageOf } from '../../core/errors.ts'
import { LogDamaged } from '../event-log.ts'
import type { ByteSource } from './record-scanner.ts'

/** The bytes of a segment, whichever way it is stored. Compression changes no byte of a record. */

/** Without the checksum most flipped bits expand silently. The fastest level: records are alike, and traffic goes first. */
const compression = { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 1 }
/** Of one step of compressing or expanding: what bounds the memory, and how long the event loop is held. */
const stepBytes = 256 * 1024

export async function rawBytes(disk: Disk, path: string): Promise<ByteSource> {
  const file = await disk.openToRead(path)
  return {
    seekable: true,
    read: (into, at) => file.read(into, at),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  }
}

export async function compressedBytes(disk: Disk, path: string): Promise<ByteSource> {
  const file = await disk.openToRead(path)
  const expanding = createZstdDecompress({ chunkSize: stepBytes })
  const ended = new Promise<void>((resolve) => {
    pipeline(Readable.from(chunksOf(file, Infinity)), expanding, () => resolve())
  })
  return new ExpandedBytes(file, expanding, ended, path)
}

class ExpandedBytes implements ByteSource {
  readonly seekable = false
  readonly #file: File
  readonly #path: string
  readonly #expanding: Transform
  readonly #chunks: AsyncIterator<Buffer>
  readonly #ended: Promise<void>
  #chunk: Buffer = Buffer.alloc(0)

  constructor(file: File, expanding: Transform, ended: Promise<void>, path: string) {
    this.#ended = ended
    this.#file = file
    this.#path = path
    this.#expanding = expanding
    this.#chunks = expanding[Symbol.asyncIterator]()
  }

  async read(into: Uint8Array): Promise<number> {
    let length = 0
    while (length < into.length) {
      if (this.#chunk.length === 0 && !(await this.#fetch())) break
      const taken = this.#chunk.copy(into, length)
      this.#chunk = this.#chunk.subarray(taken)
      length += taken
    }
    return length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#expanding.destroy()
    await this.#ended
    await this.#file[Symbol.asyncDispose]()
  }

  async #fetch(): Promise<boolean> {
    try {
      const next = await this.#chunks.next()
      if (next.done !== true) this.#chunk = next.value
      return next.done !== true
    } catch (error) {
      if (!isDamage(error)) throw error
      const because = `${this.#path}: the compressed segment is damaged (${errnoOf(error)}: ${messageOf(error)}). `
      throw new LogDamaged(`${because}Nothing was changed. Restore this file from a copy.`, error)
    }
  }
}

/** What zlib says of bytes that are not what it once wrote; everything else is the disk's failure. */
function isDamage(error: unknown): boolean {
  return /^(?:Z_|ZSTD_)/.test(errnoOf(error))
}

/**
 * Writes the first `length` bytes of a segment compressed, with a checksum of the content at the end: without it most
 * flipped bits expand without an error. `proceed` is asked before each step; false ends it with `aborted`.
 */
export async function compressBytes(
  from: File,
  length: number,
  to: File,
  proceed: () => boolean,
): Promise<'done' | 'aborted'> {
  const compressing = createZstdCompress({ chunkSize: stepBytes, params: compression })
  pipeline(Readable.from(chunksOf(from, length)), compressing, () => {})
  let at = 0
  try {
    for await (const chunk of compressing) {
      if (!proceed()) return 'aborted'
      const bytes = chunk as Buffer
      await writeFully(to, bytes, at)
      at += bytes.length
    }
  } finally {
    compressing.destroy()
  }
  return 'done'
}

export async function* chunksOf(file: File, length: number): AsyncGenerator<Buffer> {
  let at = 0
  while (at < length) {
    const chunk = Buffer.allocUnsafe(Math.min(stepBytes, length - at))
    const taken = await file.read(chunk, at)
    if (taken === 0) return
    at += taken
    yield chunk.subarray(0, taken)
  }
}
