import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { leafHash } from '../../../events/chain.ts'
import { readWhole, writeFully, type Disk, type File } from '../../core/disk.ts'

/**
 * One snapshot on disk: lines of text in small compressed blocks, and at the end a hash over all of them. Made and
 * written block by block, so that neither the event loop nor the log's disk is held up by a large state.
 */

/**
 * JSON in zstd frames rather than `v8.serialize`: any version of Node reads it, and so does a person. A change of this
 * layout, or of what stands in the lines besides the folds' states, needs another number here.
 */
const magic = Buffer.from('waybill snapshot 1\n')
/** About a millisecond to compress and a small write; the write is also where the event loop gets its turn. */
const blockChars = 64 * 1024
/** Compressed and plain length of a block; both 0 at the end. */
const blockHeaderBytes = 8
/** Far more than the states of the largest configuration; what is larger is neither written nor read. */
const fileBytesMax = 512 * 1024 * 1024
/** How much is written before `proceed` is asked again. */
const proceedBytes = 1024 * 1024
const compression = { [constants.ZSTD_c_compressionLevel]: 1 }

/** What becomes a snapshot: pieces of text, with newlines where a line ends. */
export type SnapshotText = Iterable<string>

/**
 * Writes the file beside its place, then puts it there: whatever goes wrong, the place holds a whole file or what was
 * there before. False when `proceed`, asked now and then, said no.
 */
export async function writeSnapshotFile(
  disk: Disk,
  folder: string,
  name: string,
  text: SnapshotText,
  proceed: () => Promise<boolean>,
): Promise<boolean> {
  const temporary = `${folder}/${name}${temporarySuffix}`
  try {
    await disk.remove(temporary)
    if (!(await writeBlocks(disk, temporary, text, proceed))) {
      await disk.remove(temporary)
      return false
    }
    await disk.rename(temporary, `${folder}/${name}`)
    await disk.syncFolder(folder)
    return true
  } catch (error) {
    await disk.remove(temporary).catch(() => {})
    throw error
  }
}

export const temporarySuffix = '.tmp'

/** What a file's bytes say, as lines; or why they are not to be believed. Throws what the disk throws. */
export async function readSnapshotFile(disk: Disk, path: string): Promise<readonly string[] | { readonly problem: string }> {
  {
    await using file = await disk.openToRead(path)
    if ((await file.size()) > fileBytesMax) return { problem: 'it is too large to be one' }
  }
  const bytes = await readWhole(disk, path)
  const blocks = blocksOf(bytes)
  if (blocks === null) return { problem: 'its bytes are not those that were written' }
  const plain = blocks.map(({ frame, plainBytes }) => zstdDecompressSync(frame, { maxOutputLength: plainBytes }))
  return linesOf(Buffer.concat(plain))
}

async function writeBlocks(disk: Disk, path: string, text: SnapshotText, proceed: () => Promise<boolean>): Promise<boolean> {
  await using file = await disk.create(path)
  const writer = new BlockWriter(file)
  await writer.write(magic)
  let asked = -Infinity
  for (const block of textBlocks(text)) {
    if (writer.length - asked >= proceedBytes) {
      if (writer.length > fileBytesMax || !(await proceed())) return false
      asked = writer.length
    }
    await writer.write(framed(block))
  }
  await writer.write(Buffer.alloc(blockHeaderBytes))
  await writer.write(Buffer.from(writer.hash))
  await file.sync()
  return true
}

class BlockWriter {
  readonly #file: File
  length = 0
  hash = ''

  constructor(file: File) {
    this.#file = file
  }

  async write(bytes: Buffer): Promise<void> {
    await writeFully(this.#file, bytes, this.length)
    this.length += bytes.length
    this.hash = nextHash(this.hash, bytes)
  }
}

/** Over everything before it: each block's hash takes in the one before. */
function nextHash(before: string, bytes: Buffer): string {
  return leafHash(Buffer.concat([Buffer.from(before), bytes]))
}

function* textBlocks(pieces: SnapshotText): Generator<string> {
  let block = ''
  for (const piece of pieces) {
    block += piece
    if (block.length < blockChars) continue
    yield block
    block = ''
  }
  if (block !== '') yield block
}

function framed(text: string): Buffer {
  const plain = Buffer.from(text)
  const frame = zstdCompressSync(plain, { params: compression })
  const header = Buffer.alloc(blockHeaderBytes)
  header.writeUInt32BE(frame.length, 0)
  header.writeUInt32BE(plain.length, 4)
  return Buffer.concat([header, frame])
}

interface Block {
  readonly frame: Buffer
  readonly plainBytes: number
}

/** Null unless the bytes are, to the last one, what was written. */
function blocksOf(bytes: Buffer): Block[] | null {
  if (!bytes.subarray(0, magic.length).equals(magic)) return null
  const blocks: Block[] = []
  let hash = nextHash('', magic)
  let at = magic.length
  while (at + blockHeaderBytes <= bytes.length) {
    const length = bytes.readUInt32BE(at)
    const end = at + blockHeaderBytes + length
    if (end > bytes.length) return null
    hash = nextHash(hash, bytes.subarray(at, end))
    if (length === 0) {
      return bytes.toString('latin1', end) === hash ? blocks : null
    }
    blocks.push({ frame: bytes.subarray(at + blockHeaderBytes, end), plainBytes: bytes.readUInt32BE(at + 4) })
    at = end
  }
  return null
}

/** One text of all could be longer than a text may be. */
function linesOf(plain: Buffer): string[] {
  const lines: string[] = []
  for (let at = 0; at < plain.length; ) {
    const newline = plain.indexOf(0x0a, at)
    const end = newline < 0 ? plain.length : newline
    lines.push(plain.toString('utf8', at, end))
    at = end + 1
  }
  return lines
}
