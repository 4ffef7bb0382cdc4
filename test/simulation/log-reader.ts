import { createHash } from 'node:crypto'
import { streams, type Stream } from '../../events/define.ts'
import type { MemoryDisk } from '../support/memory-disk.ts'

/**
 * Reads a log as somebody would who knows the format and has none of our code: what is on the medium for certain, names
 * in order, lines up to where the next segment begins. Says what is wrong with the chain instead of throwing.
 */

export interface LogRecord {
  readonly text: string
  /** Base64 of SHA-256(0x00 || bytes). */
  readonly hash: string
  // A checker looks into records of every type.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

export type Log = Readonly<Record<Stream, readonly LogRecord[]>>

export const firstPrevhash = Buffer.alloc(32).toString('base64')

export function readLog(disk: MemoryDisk, folder: string, problems: string[]): Log {
  const log = {} as Record<Stream, readonly LogRecord[]>
  for (const stream of streams) log[stream] = readStream(disk, `${folder}/${stream}`, problems)
  return log
}

/** The bytes of the segments that count, oldest first. */
export function segmentsOf(disk: MemoryDisk, folder: string): { readonly first: number; readonly bytes: Buffer }[] {
  const segments = [...disk.durable(folder)].flatMap(([name, bytes]) => {
    const match = /^(\d{20})\.jsonl$/.exec(name)
    return match === null ? [] : [{ first: Number(match[1]), bytes }]
  })
  return segments.sort((one, other) => one.first - other.first)
}

function readStream(disk: MemoryDisk, folder: string, problems: string[]): LogRecord[] {
  const segments = segmentsOf(disk, folder)
  const records: LogRecord[] = []
  for (const [index, { bytes, first }] of segments.entries()) {
    if (records.length !== first) problems.push(`${folder}: segment ${first} begins after ${records.length} records`)
    const end = segments[index + 1]?.first ?? Number.POSITIVE_INFINITY
    const lines = bytes.toString().split('\n')
    const rest = lines.pop()
    if (end === Number.POSITIVE_INFINITY && rest !== '') problems.push(`${folder}: segment ${first} does not end with a whole line`)
    for (const line of lines.slice(0, end - first)) records.push(recordOf(line, folder, problems))
  }
  return records
}

export function recordOf(text: string, where: string, problems: string[]): LogRecord {
  const hash = createHash('sha256').update('\0').update(text).digest('base64')
  try {
    return { text, hash, json: JSON.parse(text) }
  } catch {
    problems.push(`${where}: a line is no JSON: ${text.slice(0, 80)}`)
    return { text, hash, json: { data: {} } }
  }
}
