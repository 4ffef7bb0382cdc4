import { hash } from 'node:crypto'
import { readChainLink, type ChainLink } from '../../../events/envelope.ts'
import { controlRecordBytesMax } from '../../core/limits.ts'
import { LogDamaged, type StoredRecord } from '../event-log.ts'
import { positionOf } from '../recent-records.ts'

/** Turns the bytes of a segment into records and checks the chain on the way, at the speed of the hash. */

/** Bytes in order: a raw file, or what a compressed one holds. 0 means the end. */
export interface ByteSource extends AsyncDisposable {
  /** True where `at` may be anything; false where it only goes forward. */
  readonly seekable: boolean
  read(into: Uint8Array, at: number): Promise<number>
}

/** Read at once; records of one batch share this memory. Small enough that a slow consumer holds little. */
const chunkBytes = 512 * 1024
const newline = 0x0a

export interface ScanStart {
  /** For messages. */
  readonly path: string
  /** Source that every record has to name; null: records of many sources, in whatever order they came, so that only lines are checked. */
  readonly source: string | null
  readonly sequence: number
  /** Leaf hash of the record before, null when the reader has not seen it. */
  readonly prevhash: string | null
}

/**
 * What is wrong with a line: `torn` is what a crash may leave (no record at all), `chain` is a whole record that does
 * not belong there, which no crash explains.
 */
export interface Problem {
  readonly kind: 'torn' | 'chain'
  readonly text: string
}

/** The first line of a segment that is not the next record of its chain. */
export class BadLine extends LogDamaged {
  readonly byte: number
  readonly problem: Problem
  constructor(path: string, line: number, byte: number, problem: Problem) {
    super(
      `${path}, line ${line}, byte ${byte}: ${problem.text}. ` +
        'Nothing was changed. Restore this file from a copy; the records before this line are whole.',
    )
    this.byte = byte
    this.problem = problem
  }
}

export class RecordScanner implements AsyncDisposable {
  readonly #bytes: ByteSource
  readonly #path: string
  /** As latin1 text of its UTF-8 bytes, which is how lines are looked at. */
  readonly #source: string | null
  #sequence: number
  #prevhash: string | null
  #line = 1
  /** Offset of the current line in the segment. */
  #byte = 0
  /** `#buffer[#at]` is where the current line begins; the byte before it is ours to overwrite. */
  #buffer = Buffer.alloc(1)
  #at = 1

  constructor(bytes: ByteSource, start: ScanStart) {
    this.#bytes = bytes
    this.#path = start.path
    this.#source = start.source === null ? null : Buffer.from(start.source).toString('latin1')
    this.#sequence = start.sequence
    this.#prevhash = start.prevhash
  }

  /** Of the next record. */
  get sequence(): number {
    return this.#sequence
  }
  /** Leaf hash of the record before the next one. */
  get prevhash(): string | null {
    return this.#prevhash
  }
  /** Offset of the next record in the segment. */
  get byte(): number {
    return this.#byte
  }

  /**
   * Passes over records without checking more than that the lines are there. The hash of the last one is what the
   * record at `sequence` has to name.
   */
  async skipTo(sequence: number): Promise<void> {
    while (this.#sequence < sequence) {
      const end = this.#buffer.indexOf(newline, this.#at)
      if (end >= 0) {
        if (this.#sequence === sequence - 1) this.#prevhash = this.#leafHash(end)
        this.#advance(end)
      } else if (!(await this.#refill())) throw this.bad(missing(sequence))
    }
    this.#forgetRest()
  }

  /**
   * The next records before `limit`, as many as come with one read. Empty only when the bytes end. What stands before
   * a bad line is given out first; the call after that throws.
   */
  async next(limit: number): Promise<StoredRecord[]> {
    const records: StoredRecord[] = []
    for (;;) {
      const problem = this.#takeWhole(limit, records)
      if (this.#sequence >= limit) this.#forgetRest()
      if (records.length > 0 || this.#sequence >= limit) return records
      if (problem !== null) throw this.bad(problem)
      if (!(await this.#refill())) return records
    }
  }

  /** Throws unless the segment holds nothing more. Reading on to the end is also what checks a checksum there. */
  async expectEnd(): Promise<void> {
    if (this.#buffer.length > this.#at || (await this.#bytes.read(Buffer.alloc(1), this.#byte)) > 0) {
      throw this.bad(chain('there is more than the next segment leaves room for'))
    }
  }

  /** The line that comes next, with what is wrong about it. */
  bad(problem: Problem): BadLine {
    return new BadLine(this.#path, this.#line, this.#byte, problem)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bytes[Symbol.asyncDispose]()
  }

  /** Takes the whole lines that were read; answers what is wrong with the first that is no good. */
  #takeWhole(limit: number, into: StoredRecord[]): Problem | null {
    while (this.#sequence < limit) {
      const end = this.#buffer.indexOf(newline, this.#at)
      if (end < 0) return null
      const problem = this.#problemOf(end)
      if (problem !== null) return problem
      const leafHash = this.#leafHash(end)
      into.push({ position: positionOf(this.#sequence), bytes: this.#buffer.subarray(this.#at, end), leafHash })
      this.#prevhash = leafHash
      this.#advance(end)
    }
    return null
  }

  #problemOf(end: number): Problem | null {
    const text = this.#buffer.toString('latin1', this.#at, end)
    const link = readChainLink(text)
    if (link === null) return torn('this is not a record')
    const problem = this.#brokenChain(link)
    if (problem === null) return null
    return isJson(text) ? chain(problem) : torn('this is not a record')
  }

  #brokenChain(link: ChainLink): string | null {
    if (this.#source === null) return null
    if (link.source !== this.#source) return `the record is of another source, ${link.source}`
    if (link.sequence !== this.#sequence) return `sequence ${link.sequence} stands where ${this.#sequence} belongs`
    if (this.#prevhash === null || link.prevhash === this.#prevhash) return null
    return 'its prevhash is not the hash of the record before it: one of the two was changed'
  }

  /** The leaf is 0x00 and the record: written over the newline before it, so that nothing is copied. */
  #leafHash(end: number): string {
    this.#buffer[this.#at - 1] = 0
    return hash('sha256', this.#buffer.subarray(this.#at - 1, end), 'base64')
  }

  #advance(end: number): void {
    this.#byte += end + 1 - this.#at
    this.#at = end + 1
    this.#sequence += 1
    this.#line += 1
  }

  /** What lies behind the limit may still change: read it again when it counts. */
  #forgetRest(): void {
    if (!this.#bytes.seekable) return
    this.#buffer = Buffer.alloc(1)
    this.#at = 1
  }

  /** Reads on behind the unfinished line. False at the end of the bytes. */
  async #refill(): Promise<boolean> {
    const rest = this.#buffer.length - this.#at
    if (rest > controlRecordBytesMax + 1) throw this.bad(torn('the line is longer than any record'))
    const buffer = Buffer.allocUnsafe(1 + rest + chunkBytes)
    this.#buffer.copy(buffer, 1, this.#at)
    const taken = await this.#bytes.read(buffer.subarray(1 + rest), this.#byte + rest)
    this.#buffer = buffer.subarray(0, 1 + rest + taken)
    this.#at = 1
    if (taken > 0) return true
    if (rest > 0) throw this.bad(torn('the line does not end'))
    return false
  }
}

export function missing(sequence: number): Problem {
  return chain(`the segment ends before sequence ${sequence}, records are missing`)
}

/** Bytes of a torn page rarely make JSON: zeros are no JSON anywhere. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export function torn(text: string): Problem {
  return { kind: 'torn', text }
}

function chain(text: string): Problem {
  return { kind: 'chain', text }
}
