import type { Received } from './collector.ts'

/** Spans as a collector writes them (OTLP in JSON), as plain values. */

export interface ReceivedSpan {
  readonly name: string
  /** 2: of a server. */
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  /** Empty: the first of its trace. */
  readonly parentSpanId: string
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, string>>
  readonly events: readonly { readonly name: string; readonly atNs: bigint; readonly attributes: Readonly<Record<string, string>> }[]
  /** 2: failed. */
  readonly status: number
  readonly resource: Readonly<Record<string, string>>
}

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface Span {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly Attribute[]
  readonly events?: readonly { readonly name: string; readonly timeUnixNano: string; readonly attributes?: readonly Attribute[] }[]
  readonly status?: { readonly code?: number }
}

interface ResourceSpans {
  readonly resource: { readonly attributes: readonly Attribute[] }
  readonly scopeSpans: readonly { readonly spans: readonly Span[] }[]
}

export function spansIn(received: readonly Received[]): ReceivedSpan[] {
  return received.flatMap(({ resourceSpans = [] }) =>
    (resourceSpans as readonly ResourceSpans[]).flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans.map((span) => read(span, attributesOf(resource.attributes)))),
    ),
  )
}

function read(span: Span, resource: Readonly<Record<string, string>>): ReceivedSpan {
  const { endTimeUnixNano: end, events = [], kind, name, parentSpanId = '', spanId, startTimeUnixNano: start, status, traceId } = span
  return {
    name, kind, traceId, spanId, parentSpanId, resource,
    startNs: BigInt(start),
    endNs: BigInt(end),
    attributes: attributesOf(span.attributes),
    events: events.map(({ attributes, name: what, timeUnixNano }) => ({ name: what, atNs: BigInt(timeUnixNano), attributes: attributesOf(attributes) })),
    status: status?.code ?? 0,
  }
}

function attributesOf(attributes: readonly Attribute[] = []): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]))
}
