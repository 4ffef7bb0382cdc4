import { readRecord, type WaybillEvent } from '../../events/catalog.ts'
import { leafHash, zeroHash } from '../../events/chain.ts'
import type { EventDefinition, Stream } from '../../events/define.ts'
import { encodeDraft, placeDraft, sourceOf, type Draft } from '../../events/envelope.ts'
import type { Recorded } from '../../projections/projection.ts'
import type { Position, StoredRecord } from '../../src/log/event-log.ts'

/** Records as a node writes them, made without a log: bytes, chain, revisions and all. */

export const exampleEpoch = '0198c0de-0000-7000-8000-00000000000e'
export const exampleRun = '0198c0de-0000-7000-8000-00000000000a'
export const exampleTime = '2026-11-24T08:00:00.000Z'
export const exampleTraceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

export interface MadeRecord {
  readonly text: string
  readonly bytes: Uint8Array
  readonly leafHash: string
  readonly event: WaybillEvent
}

export interface Overrides {
  readonly subject?: string
  readonly time?: string
  readonly run?: string
  readonly revision?: number
  readonly basis?: string
  readonly traceparent?: string
}

let made = 0

/** One source: every record made is the next one of its chain. */
export class RecordChain {
  readonly source: string
  #sequence = 0
  #prevhash = zeroHash
  /** Of the last change made by `make` without an override: what the next one builds on. */
  #revision = 0
  #basis = zeroHash

  constructor(stream: Stream, { node = 'node-1', epoch = exampleEpoch }: { node?: string; epoch?: string } = {}) {
    this.source = sourceOf('default', node, epoch, stream)
  }

  get revision(): number {
    return this.#revision
  }
  get basis(): string {
    return this.#basis
  }

  /** A change is effective unless the overrides name another revision or basis. */
  make(definition: EventDefinition, data: object, overrides: Overrides = {}): MadeRecord {
    const draft = draftOf(definition, data, { revision: this.#revision + 1, basis: this.#basis, ...overrides })
    const record = this.place(draft, overrides.run)
    if (definition.changes && overrides.revision === undefined && overrides.basis === undefined) {
      this.#revision += 1
      this.#basis = record.leafHash
    }
    return record
  }

  place(draft: Draft, run = exampleRun): MadeRecord {
    const text = placeDraft(encodeDraft(draft, { source: this.source, run }), this.#sequence, this.#prevhash)
    const record = madeRecord(text)
    this.#sequence += 1
    this.#prevhash = record.leafHash
    return record
  }
}

export function draftOf(definition: EventDefinition, data: object, overrides: Overrides = {}): Draft {
  made += 1
  const chain = definition.changes ? { revision: overrides.revision ?? 1, basis: overrides.basis ?? zeroHash } : {}
  return {
    id: `0198c0de-0000-7000-8000-${made.toString(16).padStart(12, '0')}`,
    type: definition.type,
    subject: overrides.subject ?? subjectOf(definition, data),
    time: overrides.time ?? exampleTime,
    partitionkey: definition.stream === 'control' ? 'control' : 'node-1',
    ...(overrides.traceparent === undefined ? {} : { traceparent: overrides.traceparent }),
    data,
    ...chain,
  }
}

/** The definition's template with the data's values in it. */
export function subjectOf(definition: Pick<EventDefinition, 'subject'>, data: object): string {
  const values: Readonly<Record<string, unknown>> = { node: 'node-1', ...data }
  return definition.subject.replaceAll(/<([a-z_]+)>/g, (_, name: string) => {
    const value = values[name]
    if (typeof value !== 'string') throw new Error(`${definition.subject}: the data has no ${name}`)
    return value
  })
}

/** Throws when the text is not a record of this version. */
export function madeRecord(text: string): MadeRecord {
  const reading = readRecord(text)
  if (reading.kind !== 'event') throw new Error(`${JSON.stringify(reading)}: ${text}`)
  return { text, bytes: Buffer.from(text), leafHash: leafHash(text), event: reading.event }
}

export function recorded({ event, leafHash }: MadeRecord): Recorded {
  return { event, leafHash }
}

export function stored({ bytes, leafHash }: Pick<MadeRecord, 'bytes' | 'leafHash'>, position: number | string): StoredRecord {
  return { bytes, leafHash, position: String(position) as Position }
}
