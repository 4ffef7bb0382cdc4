import { SpanStatusCode, TraceFlags, type Attributes, type SpanContext, type SpanKind } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { hrTime } from '../otlp/hr-time.ts'

/**
 * A span as the OpenTelemetry SDK exports it, made in one piece when what it tells of is over: so that nothing is kept for
 * it while a connection is open, and its ids and times are those of the records.
 */

export interface SpanFacts {
  readonly name: string
  readonly kind: SpanKind
  readonly traceId: string
  readonly spanId: string
  /** Null: it is the first of its trace. */
  readonly parent: SpanContext | null
  /** Milliseconds since the epoch, as all times here. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  /** Why it counts as failed, a word of a short list; null: it does not. */
  readonly error: string | null
}

export interface SpanEvent {
  readonly name: string
  readonly atMs: number
  readonly attributes?: Attributes
}

/** Of all spans of one process. */
export interface SpanMakerFacts {
  readonly resource: Resource
  /** Of Waybill. */
  readonly version: string
}

export function spanOf(facts: SpanFacts, { resource, version }: SpanMakerFacts): ReadableSpan {
  const { attributes, error, events, kind, name, parent, spanId, startMs, traceId } = facts
  const endMs = Math.max(facts.endMs, startMs)
  const context = { spanId, traceFlags: TraceFlags.SAMPLED, traceId }
  return {
    attributes: error === null ? attributes : { ...attributes, 'error.type': error },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    duration: hrTime(endMs - startMs),
    endTime: hrTime(endMs),
    ended: true,
    events: events.map(({ atMs, attributes: its = {}, name: what }) => ({ attributes: its, name: what, time: hrTime(atMs) })),
    instrumentationScope: { name: 'waybill', version },
    kind,
    links: [],
    name,
    ...(parent === null ? {} : { parentSpanContext: parent }),
    resource,
    spanContext: () => context,
    startTime: hrTime(startMs),
    status: { code: error === null ? SpanStatusCode.UNSET : SpanStatusCode.ERROR },
  }
}
