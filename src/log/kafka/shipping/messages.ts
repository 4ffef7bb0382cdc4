import type { Message } from 'kafkajs'
import type { Stream } from '../../../../events/define.ts'
import type { StoredRecord } from '../../event-log.ts'

/** What a record is as a Kafka message, and how many of them are sent at once: the same for whoever sends. */

export const contentType = 'application/cloudevents+json'
/** The broker takes batches up to 1 MiB (`max.message.bytes`). */
export const sendBytesMax = 512 * 1024
/** `acks`: all replicas in sync. */
export const allInSync = -1

/** Kafka key of every message of a stream. */
export function keyOf(stream: Stream, node: string): string {
  return stream === 'control' ? 'control' : node
}

/** The value is the record's own memory, not a copy. */
export function messagesOf(records: readonly Pick<StoredRecord, 'bytes'>[], key: string, partition: number): Message[] {
  return records.map(({ bytes }) => ({
    headers: { 'content-type': contentType }, key, partition,
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  }))
}

/** In parts that a broker takes, each with at least one record. */
export function* sendsOf(records: readonly StoredRecord[]): Generator<readonly StoredRecord[]> {
  let part: StoredRecord[] = []
  let bytes = 0
  for (const record of records) {
    if (part.length > 0 && bytes + record.bytes.length > sendBytesMax) {
      yield part
      part = []
      bytes = 0
    }
    part.push(record)
    bytes += record.bytes.length
  }
  if (part.length > 0) yield part
}
