import type { Endpoint } from './network.ts'

/**
 * What the API tells of its calls to whoever makes spans of them, and what it needs of W3C Trace Context to put on record
 * which trace a call was part of. Traces are no evidence: a caller may say anything about itself.
 */

/** The trace that a caller says its call is part of, and the caller's own span in it. */
export interface TraceParent {
  /** 32 digits, lower-case hexadecimal. */
  readonly traceId: string
  /** 16 digits, lower-case hexadecimal. */
  readonly spanId: string
  readonly isSampled: boolean
  /** As version 00 spells it. */
  readonly text: string
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-|$)/
/** Long enough for whatever a later version adds; an endless one is not looked at. */
const lengthMax = 512
const noTrace = '0'.repeat(32)
const noSpan = '0'.repeat(16)
const sampled = 0x01

/**
 * W3C Trace Context, section 3.2.2; null: it is not valid, and so is not there. Of a later version only what version 00
 * has is read (section 3.2.4, "Versioning of traceparent").
 */
export function readTraceparent(header: string | readonly string[] | undefined): TraceParent | null {
  if (typeof header !== 'string' || header.length > lengthMax) return null
  const [, version, traceId, spanId, flagDigits, end] = form.exec(header) ?? []
  if (version === undefined || traceId === undefined || spanId === undefined || flagDigits === undefined) return null
  if (version === 'ff' || (version === '00' && end !== '') || traceId === noTrace || spanId === noSpan) return null
  const flags = Number.parseInt(flagDigits, 16)
  const text = version === '00' ? header : traceparentOf(traceId, spanId, (flags & sampled) !== 0)
  return { traceId, spanId, isSampled: (flags & sampled) !== 0, text }
}

export function traceparentOf(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-0${isSampled ? sampled : 0}`
}

/**
 * The ids of a span that has an id in the records: whoever has the one finds the other. A UUIDv7 is 16 bytes, as a trace
 * id is; of its second half 62 bits are random, so that it is unique among the spans of a trace as well.
 */
export function spanIdsOf(id: string): { readonly traceId: string; readonly spanId: string } {
  const digits = id.replaceAll('-', '')
  return { traceId: digits, spanId: digits.slice(16) }
}

/** A call of the API that has begun. */
export interface BegunCall {
  /** As in its record. */
  readonly requestId: string
  readonly parent: TraceParent | null
}

/** A call that is over: answered, or left by its caller. */
export interface EndedCall {
  readonly method: string
  /** As the routes spell it: `/api/pools/:name`; null: there is none. */
  readonly route: string | null
  /** Without the query. */
  readonly path: string
  readonly status: number
  /** Null: it came over the local socket, or is gone. */
  readonly client: Endpoint | null
  readonly isLocalSocket: boolean
  /** The control record that it made. */
  readonly recordId: string | null
}

export interface CallSpan {
  readonly traceId: string
  readonly spanId: string
  /** What says in a record which span this is. */
  readonly traceparent: string
  /** Call it once. */
  end(call: EndedCall): void
}

export interface Tracing {
  /** Null: there will be no span of this call. */
  begin(call: BegunCall): CallSpan | null
}

export const noTracing: Tracing = { begin: () => null }
