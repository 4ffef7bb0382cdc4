import { streams, type Stream } from '../../events/define.ts'
import { logAcknowledged, logCommitted } from '../core/channels.ts'
import type { Clock } from '../core/clock.ts'
import type { Guard } from './guarded.ts'
import type { ClusterSource, LogSource } from './metric-sources.ts'
import { Counts } from './metrics-counts.ts'
import type { MetricsRegistry, Observe } from './metrics-registry.ts'
import { UnavailableTime } from './unavailable-time.ts'

/** Counts what the log tells of each commit, and how long it took no records. */

export class LogCounts implements Disposable {
  readonly #registry: MetricsRegistry
  readonly #records = new Counts(['stream'], streams)
  readonly #failures = new Counts(['stream'], streams)
  readonly #unavailable: UnavailableTime
  readonly #listening = new DisposableStack()

  constructor(clock: Clock, registry: MetricsRegistry, guard: Guard) {
    this.#registry = registry
    this.#unavailable = new UnavailableTime(clock)
    const batches = eachStream(registry, 'log.commit.records')
    const seconds = eachStream(registry, 'log.commit.duration')
    this.#listening.use(
      guard.listen('counting commits', logCommitted, ({ durable, ms, records, stream }) => {
        if (!durable) return this.#failures.add(1, stream)
        this.#records.add(records, stream)
        batches[stream](records)
        seconds[stream](ms / 1_000)
      }),
    )
  }

  /** From here on the log can be asked. */
  attach(log: LogSource, cluster: ClusterSource | null, guard: Guard): void {
    for (const stream of streams) this.#unavailable.note(stream, log.isAvailable(stream))
    this.#listening.use(log.onAvailability((stream, isAvailable) => this.#unavailable.note(stream, isAvailable)))
    if (cluster === null) return
    const seconds = eachStream(this.#registry, 'log.acknowledge.duration')
    this.#listening.use(guard.listen('counting acknowledgements', logAcknowledged, ({ ms, stream }) => seconds[stream](ms / 1_000)))
  }

  write(): void {
    this.#registry.show('log.records', this.#records.series())
    this.#registry.show('log.commit.failures', this.#failures.series())
    this.#registry.show('log.unavailable', streams.map((stream) => ({ labels: { stream }, value: this.#unavailable.seconds(stream) })))
  }

  [Symbol.dispose](): void {
    this.#listening.dispose()
  }
}

/** With a series for each stream from the start. */
function eachStream(
  registry: MetricsRegistry,
  name: 'log.acknowledge.duration' | 'log.commit.duration' | 'log.commit.records',
): Readonly<Record<Stream, Observe>> {
  const of = (stream: Stream): Observe => registry.observing(name, { stream })
  return { control: of('control'), connections: of('connections'), operations: of('operations') }
}
