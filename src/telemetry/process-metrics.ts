import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { MetricsRegister } from './metrics-registry.ts'

/** What prom-client knows of the process itself: event loop delay, heap, garbage collection, processor time. */

/**
 * Not taken: gauges that are named like counters, which count every socket of the process by walking over all of them; and
 * the count of descriptors, for which it lists a folder (20,000 of them held up the event loop for 20 to 90 ms).
 */
const leftOut = [
  'nodejs_active_handles', 'nodejs_active_handles_total', 'nodejs_active_requests', 'nodejs_active_requests_total', 'nodejs_active_resources',
  'nodejs_active_resources_total', 'process_open_fds',
] as const

/** Of garbage collections, as prom-client names them; each is there before the first one. */
const collectionKinds = ['incremental', 'major', 'minor', 'weakcb'] as const

let registry: Registry | null = null

/** Adds them. There is one set of them, as there is one process: each set would watch the event loop and the collector anew. */
export function addProcessMetrics(to: MetricsRegister, openDescriptors: () => Promise<number | null>): void {
  if (registry === null) {
    registry = new Registry()
    collectDefaultMetrics({ register: registry })
    for (const name of leftOut) registry.removeSingleMetric(name)
    const collections = registry.getSingleMetric('nodejs_gc_duration_seconds')
    if (collections instanceof Histogram) for (const kind of collectionKinds) collections.zero({ kind })
  }
  for (const metric of registry.getMetricsAsArray()) to.registerMetric(metric as never)
  const descriptors = new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers: [to],
    collect: async () => {
      const open = await openDescriptors()
      if (open === null) descriptors.remove()
      else descriptors.set(open)
    },
  })
}
