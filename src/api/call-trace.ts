import type { FastifyRequest } from 'fastify'

/** Which trace a call is part of: for its records and for the lines about it. */

export interface TraceOfCall {
  readonly traceId: string
  readonly spanId: string
  readonly traceparent: string
}

const traces = new WeakMap<FastifyRequest, TraceOfCall>()

export function noteTrace(request: FastifyRequest, trace: TraceOfCall): void {
  traces.set(request, trace)
}

/** For the records of a call. */
export function tracedBy(request: FastifyRequest): { readonly traceparent?: string } {
  const trace = traces.get(request)
  return trace === undefined ? {} : { traceparent: trace.traceparent }
}

/** For lines. */
export function traceFields(request: FastifyRequest): { readonly span_id?: string; readonly trace_id?: string } {
  const trace = traces.get(request)
  return trace === undefined ? {} : { span_id: trace.spanId, trace_id: trace.traceId }
}
