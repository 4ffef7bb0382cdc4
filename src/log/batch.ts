import { leafHash } from '../../events/chain.ts'
import type { Stream } from '../../events/define.ts'
import {
  encodeDraft, encodedBytes, formatSequence, placeDraft, type Draft, type EncodedDraft, type Writer,
} from '../../events/envelope.ts'
import { invariant } from '../core/errors.ts'
import { commitBytesMax, controlRecordBytesMax, recordBytesMax } from '../core/limits.ts'
import type { Batch } from './commit-store.ts'
import type { WrittenEvent } from './event-log.ts'

/** From drafts to the bytes of a commit: everything but the chain at the append, the chain at the write. */

export interface ChainHead {
  /** Of the next record. */
  readonly sequence: number
  /** Leaf hash of the record before it. */
  readonly prevhash: string
}

/** The drafts of one append as text, so that nothing done to them later shows. */
export interface EncodedDrafts {
  readonly originals: readonly Draft[]
  readonly drafts: readonly EncodedDraft[]
  /** Bytes of each record without its newline. */
  readonly sizes: readonly number[]
  /** Bytes of all records with their newlines. */
  readonly bytes: number
}

/** A draft or an append that is too large is a violation: whoever builds records truncates what clients control. */
export function encodeDrafts(stream: Stream, drafts: readonly Draft[], writer: Writer): EncodedDrafts {
  const encoded: EncodedDraft[] = []
  const sizes: number[] = []
  const sizeMax = stream === 'control' ? controlRecordBytesMax : recordBytesMax
  let bytes = 0
  for (const draft of drafts) {
    const one = encodeDraft(draft, writer)
    const size = encodedBytes(one)
    invariant(size <= sizeMax, `a record of ${draft.type} has ${size} bytes, ${stream} takes at most ${sizeMax}`)
    encoded.push(one)
    sizes.push(size)
    bytes += size + 1
  }
  invariant(encoded.length > 0, 'an append has at least one draft')
  invariant(bytes <= commitBytesMax, `one append has ${bytes} bytes, a commit holds at most ${commitBytesMax}`)
  return { originals: drafts, drafts: encoded, sizes, bytes }
}

/** Gives records their places behind `head`, in order. */
export function placeBatch(head: ChainHead, appends: readonly EncodedDrafts[], writer: Writer): Batch {
  const events: WrittenEvent[] = []
  const texts: string[] = []
  const ends: number[] = []
  const leafHashes: string[] = []
  let { prevhash } = head
  let end = -1
  for (const { drafts, originals, sizes } of appends) {
    for (let index = 0; index < drafts.length; index += 1) {
      const sequence = head.sequence + texts.length
      const text = placeDraft(drafts[index]!, sequence, prevhash)
      events.push(writtenEvent(originals[index]!, writer, formatSequence(sequence), prevhash))
      prevhash = leafHash(text)
      end += sizes[index]! + 1
      texts.push(text)
      ends.push(end)
      leafHashes.push(prevhash)
    }
  }
  texts.push('')
  const bytes = Buffer.from(texts.join('\n'))
  invariant(bytes.length === end + 1, 'a record has the size that its draft was measured at')
  return { firstSequence: head.sequence, bytes, ends, leafHashes, events }
}

/** Records that have their places already, as they are. */
export function batchOf(firstSequence: number, records: readonly { readonly bytes: Uint8Array; readonly leafHash: string }[]): Batch {
  const lines: Uint8Array[] = []
  const ends: number[] = []
  let end = -1
  for (const { bytes } of records) {
    lines.push(bytes, newline)
    end += bytes.length + 1
    ends.push(end)
  }
  return { bytes: Buffer.concat(lines), ends, events: null, firstSequence, leafHashes: records.map(({ leafHash: hash }) => hash) }
}

const newline = Buffer.from('\n')

function writtenEvent(draft: Draft, { run, source }: Writer, sequence: string, prevhash: string): WrittenEvent {
  const { basis, data, id, partitionkey, revision, subject, time, traceparent, type } = draft
  const plain = { data, id, partitionkey, prevhash, run, sequence, source, subject, time, type }
  const common = traceparent === undefined ? plain : { ...plain, traceparent }
  return basis === undefined || revision === undefined ? common : { ...common, basis, revision }
}
