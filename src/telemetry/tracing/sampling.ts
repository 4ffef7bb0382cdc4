import { ROOT_CONTEXT, SpanKind, trace, TraceFlags, type Context, type SpanContext } from '@opentelemetry/api'
import {
  AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, SamplingDecision, TraceIdRatioBasedSampler, type Sampler,
} from '@opentelemetry/sdk-trace'
import type { OtelSampler } from '../../config/otel.ts'
import type { TraceParent } from '../../core/tracing.ts'

/** Which spans are made: decided by the trace id and by what the caller decided, so that all of a trace agree. */

export function samplerOf({ name, ratio }: OtelSampler): Sampler {
  switch (name) {
    case 'always_on': return new AlwaysOnSampler()
    case 'always_off': return new AlwaysOffSampler()
    case 'traceidratio': return new TraceIdRatioBasedSampler(ratio)
    case 'parentbased_always_on': return new ParentBasedSampler({ root: new AlwaysOnSampler() })
    case 'parentbased_always_off': return new ParentBasedSampler({ root: new AlwaysOffSampler() })
    case 'parentbased_traceidratio': return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
  }
}

/** `parent` null: the span is the first of its trace. */
export function isSampled(sampler: Sampler, traceId: string, parent: SpanContext | null): boolean {
  const context: Context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
  return sampler.shouldSample(context, traceId, '', SpanKind.SERVER, {}, []).decision === SamplingDecision.RECORD_AND_SAMPLED
}

/** The caller's span, as the SDK knows it. */
export function contextOf({ isSampled: sampled, spanId, traceId }: TraceParent): SpanContext {
  return { isRemote: true, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, traceId }
}
