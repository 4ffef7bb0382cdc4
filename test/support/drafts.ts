import type { Draft } from '../../events/envelope.ts'
import type { EventLog, StoredRecord } from '../../src/log/event-log.ts'
import type { Stream } from '../../events/define.ts'

/** Drafts for tests of logs, which do not look at what a record says. */

let made = 0

/** `bytes`: about how much data it carries. */
export function draft(label: string, bytes = 10): Draft {
  made += 1
  return {
    id: `0198c0de-0000-7000-8000-${String(made).padStart(12, '0')}`,
    type: 'dev.waybill.log.space_low.v1',
    subject: 'node',
    time: '2026-11-24T08:00:00.000Z',
    partitionkey: 'node',
    data: { label, padding: 'x'.repeat(bytes) },
  }
}

export async function readAll(log: Pick<EventLog, 'read'>, stream: Stream): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for await (const batch of log.read(stream, { after: null, follow: false })) records.push(...batch)
  return records
}

export function textOf(record: StoredRecord): string {
  return Buffer.from(record.bytes).toString()
}

export function labelOf(record: StoredRecord): string {
  return (JSON.parse(textOf(record)) as { data: { label: string } }).data.label
}

export async function labels(log: Pick<EventLog, 'read'>, stream: Stream): Promise<string[]> {
  return (await readAll(log, stream)).map(labelOf)
}
