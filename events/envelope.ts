import { z } from 'zod'
import { isAsked, type EventDefinition } from './define.ts'
import { LeafHash, Revision, Time } from './values.ts'

/**
 * The CloudEvents 1.0 envelope in structured JSON. The bytes made here are what is stored, hashed, shipped and
 * exported: keys in code-unit order at every level, so that plain JSON.stringify output is RFC 8785 canonical JSON.
 */

export const specVersion = '1.0'
export const hashVersion = 1
export const sequenceDigits = 20

export const Sequence = z.string().regex(/^[0-9]{20}$/)
/** Names are ASCII, so that they read the same in every encoding and stand in a path without escapes. */
export const Source = z
  .string()
  .regex(/^\/clusters\/[A-Za-z0-9._-]{1,200}\/nodes\/[A-Za-z0-9._-]{1,200}\/[A-Za-z0-9._-]{1,64}\/(?:control|connections|operations)$/)

const attributes = {
  hashver: z.literal(hashVersion).meta({ description: 'How `prevhash` and `basis` are made.' }),
  id: z.uuid().meta({ description: 'Unique and time-ordered.' }),
  partitionkey: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/).meta({ description: 'The Kafka key.' }),
  prevhash: LeafHash.meta({ description: 'Leaf hash of the record before it in the same source; zeros at sequence 0.' }),
  run: z.uuid().meta({ description: 'One process life of the node.' }),
  sequence: Sequence.meta({ description: 'Gapless in each source, from 0: a missing record is visible.' }),
  source: Source.meta({ description: 'Cluster, node, epoch of its log folder, stream.' }),
  specversion: z.literal(specVersion).meta({ description: 'CloudEvents.' }),
  subject: z.string().regex(/^[\x21-\x7e]{1,400}$/).meta({ description: 'What it is about.' }),
  time: Time.meta({ description: 'RFC 3339 in UTC with three fraction digits, from the clock of the node.' }),
} as const

/** W3C Trace Context, version 00. */
export const Traceparent = z.string().regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/).meta({
  description: 'Only of records that came of a request which was part of a trace: which one (W3C Trace Context). No evidence: a caller may send any.',
})

/**
 * The whole record of a type, keys in code-unit order. A change names its revision and the change it builds on; every
 * other record has neither.
 */
export function recordSchema(definition: EventDefinition) {
  const { changes, data, type } = definition
  const { hashver, id, partitionkey, prevhash, run, ...afterRun } = attributes
  const head = { data, hashver, id, partitionkey, prevhash }
  const traced = isAsked(definition) ? { traceparent: Traceparent.optional() } : {}
  const tail = { run, ...afterRun, ...traced, type: z.literal(type) }
  if (!changes) return z.strictObject({ ...head, ...tail })
  const basis = LeafHash.meta({ description: 'Leaf hash of the last effective change.' })
  const revision = Revision.meta({ description: 'Number of the configuration that this change makes, if it is effective.' })
  return z.strictObject({ basis, ...head, revision, ...tail })
}

/** A fact before the log gave it its place. Data has its keys in code-unit order. */
export interface Draft {
  readonly id: string
  readonly type: string
  readonly subject: string
  /** RFC 3339, UTC, three fraction digits. */
  readonly time: string
  readonly partitionkey: string
  /** Of a request that was part of a trace. */
  readonly traceparent?: string
  readonly data: object
  /** Control changes only: both or neither. */
  readonly revision?: number
  readonly basis?: string
}

/** A draft turned into text but for what only the log knows: the chain. */
export interface EncodedDraft {
  readonly head: string
  readonly afterPrevhash: string
  readonly afterSequence: string
  readonly id: string
}

/** Who writes: constant over one life of a log folder, but for the run. */
export interface Writer {
  readonly source: string
  readonly run: string
}

export function sourceOf(cluster: string, node: string, epoch: string, stream: string): string {
  return `/clusters/${cluster}/nodes/${node}/${epoch}/${stream}`
}

/** The node's name in a source. */
export function nodeOf(source: string): string {
  const start = source.indexOf('/nodes/') + 7
  const end = source.indexOf('/', start)
  return start < 7 || end < 0 ? '' : source.slice(start, end)
}

/** The epoch in a source. */
export function epochOf(source: string): string {
  const end = source.lastIndexOf('/')
  return source.slice(source.lastIndexOf('/', end - 1) + 1, Math.max(end, 0))
}

export function formatSequence(sequence: number): string {
  return String(sequence).padStart(sequenceDigits, '0')
}

export function encodeDraft(draft: Draft, writer: Writer): EncodedDraft {
  const basis = draft.basis === undefined ? '' : `"basis":"${draft.basis}",`
  const revision = draft.revision === undefined ? '' : `"revision":${draft.revision},`
  const traceparent = draft.traceparent === undefined ? '' : `"traceparent":"${draft.traceparent}",`
  return {
    id: draft.id,
    head:
      `{${basis}"data":${JSON.stringify(draft.data)},"hashver":${hashVersion},"id":"${draft.id}",` +
      `"partitionkey":${JSON.stringify(draft.partitionkey)},"prevhash":"`,
    afterPrevhash: `",${revision}"run":"${writer.run}","sequence":"`,
    afterSequence:
      `","source":${JSON.stringify(writer.source)},"specversion":"${specVersion}",` +
      `"subject":${JSON.stringify(draft.subject)},"time":"${draft.time}",${traceparent}"type":"${draft.type}"}`,
  }
}

/** The record's text without the newline, once its place in the chain is known. */
export function placeDraft(draft: EncodedDraft, sequence: number, prevhash: string): string {
  return draft.head + prevhash + draft.afterPrevhash + formatSequence(sequence) + draft.afterSequence
}

/** The most that the chain adds to an encoded draft, in bytes. */
const chainBytes = 44 + sequenceDigits

/** An upper bound of the record's size in bytes (exact but for the chain's fixed-width fields). */
export function encodedBytes(draft: EncodedDraft): number {
  return Buffer.byteLength(draft.head) + draft.afterPrevhash.length + Buffer.byteLength(draft.afterSequence) + chainBytes
}

/** A record's exact bytes as text; null when they are not UTF-8, and so would read as what they are not. */
export function recordText(bytes: Uint8Array): string | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = view.toString()
  // Decoding puts U+FFFD for what is no UTF-8; where the bytes really say U+FFFD, encoding gives them back.
  return text.includes('\ufffd') && !Buffer.from(text).equals(view) ? null : text
}

/** What a record says of its place, read from its text without parsing it; null when it is not one of ours. */
export interface ChainLink {
  readonly sequence: number
  readonly prevhash: string
  readonly source: string
}

const prevhashField = '"prevhash":"'
const sequenceField = '"sequence":"'
const sourceField = '"source":"'
const leafHashLength = 44
/** From the start of `"sequence":"…",` to what follows it. */
const sequenceSpan = sequenceField.length + sequenceDigits + 2
/** The same for `"prevhash":"…",` and `"run":"…",`. */
const prevhashSpan = prevhashField.length + leafHashLength + 2
const runSpan = '"run":"'.length + 36 + 2

/**
 * Keys come in code-unit order, a quote inside a JSON string is escaped, and what stands between `data` and `source` has
 * fixed widths. So the last `"source":"` is the envelope's own, and the others stand where the writer put them before
 * it. This is what lets a reader check the chain at hashing speed.
 */
export function readChainLink(text: string): ChainLink | null {
  const sourceAt = text.lastIndexOf(sourceField)
  const sequenceAt = sourceAt - sequenceSpan
  if (sequenceAt < 0 || !text.startsWith(sequenceField, sequenceAt) || !text.endsWith('"}')) return null
  // Only changes have a revision between prevhash and run.
  const plainAt = sequenceAt - runSpan - prevhashSpan
  const plain = plainAt >= 0 && text.startsWith(prevhashField, plainAt)
  const prevhashAt = plain ? plainAt : text.lastIndexOf(prevhashField, sequenceAt)
  const prevhashEnd = prevhashAt + prevhashField.length + leafHashLength
  const sourceStart = sourceAt + sourceField.length
  const sourceEnd = text.indexOf('"', sourceStart)
  if (prevhashAt < 0 || text[prevhashEnd] !== '"' || sourceEnd < 0) return null
  const sequence = digitsAt(text, sequenceAt + sequenceField.length)
  if (sequence === null) return null
  return {
    sequence,
    prevhash: text.slice(prevhashAt + prevhashField.length, prevhashEnd),
    source: text.slice(sourceStart, sourceEnd),
  }
}

/** Null when they are no digits, or more than a number holds: past 2^53 two sequences would read as one. */
function digitsAt(text: string, at: number): number | null {
  let value = 0
  for (let index = at; index < at + sequenceDigits; index += 1) {
    const digit = text.charCodeAt(index) - 0x30
    if (!(digit >= 0 && digit <= 9)) return null
    value = value * 10 + digit
  }
  return Number.isSafeInteger(value) ? value : null
}

/** Where the values of a record's last members begin in its bytes. */
export interface RecordTail {
  readonly timeStart: number
  readonly typeStart: number
}

const timeField = Buffer.from('"time":"')
const traceparentField = Buffer.from('"traceparent":"')
const typeField = Buffer.from('"type":"')
/** RFC 3339 as every record has it. */
export const timeLength = '2026-11-24T08:00:00.000Z'.length
const traceparentLength = 55

/**
 * Finds `time` and `type` without parsing: keys come in code-unit order, so that they end the record, with nothing but a
 * `traceparent` between them, and a quote inside a text is escaped, so that the last `"type":"` is the envelope's own.
 * Null: not one of ours.
 */
export function recordTail(record: Buffer): RecordTail | null {
  const typeAt = record.lastIndexOf(typeField)
  const timeAt = timeBefore(record, typeAt) ?? timeBefore(record, tracedBefore(record, typeAt))
  return timeAt === null ? null : { timeStart: timeAt + timeField.length, typeStart: typeAt + typeField.length }
}

function timeBefore(record: Buffer, end: number | null): number | null {
  if (end === null) return null
  const at = end - timeField.length - timeLength - 2
  return isAt(record, timeField, at) ? at : null
}

function tracedBefore(record: Buffer, end: number): number | null {
  const at = end - traceparentField.length - traceparentLength - 2
  return isAt(record, traceparentField, at) ? at : null
}

function isAt(record: Buffer, field: Buffer, at: number): boolean {
  return at >= 0 && record.compare(field, 0, field.length, at, at + field.length) === 0
}
