import { SpanKind, type Attributes, type SpanContext } from '@opentelemetry/api'
import type { Sampler } from '@opentelemetry/sdk-trace'
import type { Clock } from '../../core/clock.ts'
import type { Endpoint } from '../../core/network.ts'
import { spanIdsOf, traceparentOf, type BegunCall, type CallSpan, type EndedCall, type Tracing } from '../../core/tracing.ts'
import { contextOf, isSampled } from './sampling.ts'
import type { SpanFacts } from './span.ts'

/** Makes a span of each call of the API that is sampled: in the trace of its caller, or in one of its own. */

export interface CallTracingOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'now'>
  readonly sampler: Sampler
  /** Where the API listens. */
  readonly server: Endpoint
  /** Calls what makes it at once, and keeps what it throws: neither a call nor its connection may end by it. */
  readonly add: (make: () => SpanFacts) => void
}

export class CallTracing implements Tracing {
  readonly #options: CallTracingOptions

  constructor(options: CallTracingOptions) {
    this.#options = options
  }

  begin({ parent: caller, requestId }: BegunCall): CallSpan | null {
    const { add, clock, sampler, server } = this.#options
    const own = spanIdsOf(requestId)
    const parent = caller === null ? null : contextOf(caller)
    const traceId = parent?.traceId ?? own.traceId
    if (!isSampled(sampler, traceId, parent)) return null
    const [startMs, startedMs] = [clock.now(), clock.monotonicMs()]
    return {
      traceId,
      spanId: own.spanId,
      traceparent: traceparentOf(traceId, own.spanId, true),
      end: (call) => add(() => callSpan(call, { endMs: startMs + clock.monotonicMs() - startedMs, parent, requestId, server, spanId: own.spanId, startMs, traceId })),
    }
  }
}

interface Begun {
  readonly endMs: number
  readonly parent: SpanContext | null
  readonly requestId: string
  readonly server: Endpoint
  readonly spanId: string
  readonly startMs: number
  readonly traceId: string
}

/** RFC 9110 and PATCH, and QUERY: what OpenTelemetry knows. Others would make names without end. */
const knownMethods: ReadonlySet<string> = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'])
/** As the record of the call cuts it. */
const pathMax = 512

function callSpan(call: EndedCall, { endMs, parent, requestId, server, spanId, startMs, traceId }: Begun): SpanFacts {
  const method = knownMethods.has(call.method) ? call.method : '_OTHER'
  const name = method === '_OTHER' ? 'HTTP' : method
  return {
    name: call.route === null ? name : `${name} ${call.route}`,
    kind: SpanKind.SERVER,
    traceId, spanId, parent, startMs, endMs,
    attributes: attributesOf(call, method, requestId, server),
    events: [],
    // A call that the rules refuse is the caller's fault; conventions for HTTP count only the server's own.
    error: call.status >= 500 ? String(call.status) : null,
  }
}

function attributesOf({ client, isLocalSocket, method: sent, path, recordId, route, status }: EndedCall, method: string, requestId: string, server: Endpoint): Attributes {
  return {
    ...(client === null ? {} : { 'client.address': client.ip, 'client.port': client.port }),
    'http.request.method': method,
    ...(method === '_OTHER' ? { 'http.request.method_original': sent } : {}),
    'http.response.status_code': status,
    ...(route === null ? {} : { 'http.route': route }),
    'network.transport': isLocalSocket ? 'unix' : 'tcp',
    ...(isLocalSocket ? {} : { 'server.address': server.ip, 'server.port': server.port }),
    'url.path': path.slice(0, pathMax).toWellFormed(),
    'url.scheme': 'http',
    ...(recordId === null ? {} : { 'waybill.record_id': recordId }),
    'waybill.request_id': requestId,
  }
}
