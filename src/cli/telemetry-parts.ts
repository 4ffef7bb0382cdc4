import type { OtelSettings } from '../config/otel.ts'
import type { Settings } from '../config/settings.ts'
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import type { Logger } from '../core/logger.ts'
import { noTracing, type Tracing } from '../core/tracing.ts'
import { Metrics } from '../telemetry/metrics.ts'
import type { ResourceFacts } from '../telemetry/otlp/resource.ts'
import type { Traces } from '../telemetry/tracing/traces.ts'
import type { CoreNode, Machine } from './core-node.ts'
import { metricSourcesOf } from './metric-sources.ts'
import { sendMetrics, startOtlp } from './otlp-parts.ts'
import { startTraces } from './trace-parts.ts'

/**
 * What a node tells of itself while it runs. Begins before the node does, so that nothing is missed, and ends after it, so
 * that its last words get out; what goes wrong in here costs the node nothing.
 */

export interface TelemetryParts extends AsyncDisposable {
  readonly metrics: Metrics
  /** For the API, once it is attached. */
  readonly tracing: Tracing
  /** From here on there is a node to ask, and it is known who speaks. Never rejects. */
  attach(core: CoreNode, facts: ResourceFacts): Promise<void>
}

export interface TelemetryOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly logger: Logger
  readonly machine: Machine
  readonly otel: OtelSettings
  readonly settings: Settings
}

export function startTelemetry({ clock, disk, logger, machine, otel, settings }: TelemetryOptions): TelemetryParts {
  const { versions } = machine
  const parts = new AsyncDisposableStack()
  const sinceMs = clock.now()
  let traces: Traces | null = null
  // An exemplar is a trace that somebody can look at.
  const exemplars = otel.traces === null ? {} : { traceIdOf: (connectionId: string): string | null => traces?.traceIdOf(connectionId) ?? null }
  const metrics = parts.use(new Metrics({ clock, logger, ...exemplars }))
  return {
    metrics,
    get tracing() {
      return traces?.calls ?? noTracing
    },
    attach: async (core, facts) => {
      const { live, log, proxy } = core
      metrics.attach(metricSourcesOf({ clock, disk, live, log, proxy, versions }, settings))
      parts.use(await startOtlp({ clock, logger, otel }))
      const sending = await sendMetrics({ clock, logger, metrics, otel, sinceMs }, facts)
      traces = await startTraces({ clock, logger, otel, settings }, facts)
      // Side by side: a collector that hangs holds up the end once, and not once for each signal.
      parts.defer(async () => void await Promise.all([sending, traces].map(async (one) => one?.[Symbol.asyncDispose]())))
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
