import type { Stream } from '../../events/define.ts'
import type { ConnectionClosedData, ConnectionOpenedData } from '../../events/connection.ts'
import { ConnectionClosed, ConnectionOpened } from '../../events/connection.ts'
import { silentLogger, type Logger } from '../../src/core/logger.ts'
import type { BackendNow, ClusterSource, MetricSources, NodeCertificate, OpenNow } from '../../src/telemetry/metric-sources.ts'
import { freshMs, Metrics, type MetricsOptions } from '../../src/telemetry/metrics.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A node that a test plays, as the metrics ask it, and what they then show by name and labels. */

export class PlayedSources implements MetricSources {
  readonly versions = { node: '26.10.0', openssl: '3.5.0', waybill: '0.1.0' }
  connectionsMax = 100
  readonly configured = new Map<string, BackendNow[]>()
  readonly opened: OpenNow[] = []
  readonly listening: { readonly listener: string; readonly isUp: boolean }[] = []
  readonly unavailable = new Set<Stream>()
  readonly lags = new Map<Stream, number>()
  readonly sizes = new Map<Stream, number>()
  space: () => Promise<{ readonly freeBytes: number; readonly totalBytes: number }> = async () => ({ freeBytes: 7, totalBytes: 10 })
  readonly expiries = new Map<NodeCertificate, number>()
  played: { backlog: { records: number; oldestMs: number }; skewMs: number | null } | null = null
  readonly #onAvailability = new Set<(stream: Stream, isAvailable: boolean) => void>()

  readonly log: MetricSources['log'] = {
    isAvailable: (stream) => !this.unavailable.has(stream),
    onAvailability: (listener) => {
      this.#onAvailability.add(listener)
      return { [Symbol.dispose]: () => void this.#onAvailability.delete(listener) }
    },
    size: (stream) => this.sizes.get(stream) ?? 0,
    foldLag: (stream) => this.lags.get(stream) ?? 0,
    space: () => this.space(),
  }

  get cluster(): ClusterSource | null {
    const { played } = this
    if (played === null) return null
    return {
      backlog: () => played.backlog,
      skewMs: () => played.skewMs,
      certificateExpiry: async (certificate) => this.expiries.get(certificate) ?? null,
    }
  }

  *pools(): ReturnType<MetricSources['pools']> {
    for (const [name, backends] of this.configured) yield { backends, name }
  }
  open(): readonly OpenNow[] {
    return this.opened
  }
  listeners(): ReturnType<MetricSources['listeners']> {
    return this.listening
  }
  peeking(): number {
    return 3
  }
  configuration(): ReturnType<MetricSources['configuration']> {
    return { isFrozen: false, revision: 12 }
  }
  async openDescriptors(): Promise<number | null> {
    return 42
  }

  setAvailable(stream: Stream, isAvailable: boolean): void {
    if (isAvailable) this.unavailable.delete(stream)
    else this.unavailable.add(stream)
    for (const listener of this.#onAvailability) listener(stream, isAvailable)
  }
}

export interface Stand extends Disposable {
  readonly clock: ManualClock
  readonly metrics: Metrics
  readonly sources: PlayedSources
  /** A collection of its own, never an earlier one: values by `name{label="value",...}`. */
  series(): Promise<ReadonlyMap<string, number>>
}

/** `isAttached: false`: there is no node yet. */
export function stand(
  options: Partial<Pick<MetricsOptions, 'traceIdOf'>> & { readonly logger?: Logger; readonly isAttached?: boolean; readonly sources?: PlayedSources } = {},
): Stand {
  const { isAttached = true, logger = silentLogger, sources = new PlayedSources(), ...others } = options
  const clock = new ManualClock()
  const metrics = new Metrics({ clock, logger, ...others })
  if (isAttached) metrics.attach(sources)
  return {
    clock, metrics, sources,
    series: async () => {
      clock.advance(freshMs)
      let isDone = false
      const asked = metrics.exposition(undefined).finally(() => (isDone = true))
      // A long text lets others have a turn now and then.
      while (!isDone) await clock.run(0)
      return seriesOf((await asked)!.body.toString())
    },
    [Symbol.dispose]: () => metrics[Symbol.dispose](),
  }
}

/** By a few lines of its own, so that it does not repeat what writes them. */
export function seriesOf(text: string): ReadonlyMap<string, number> {
  const all = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const at = line.lastIndexOf(' ')
    all.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return all
}

const [openedExample] = ConnectionOpened.examples as readonly ConnectionOpenedData[]
const [closedExample] = ConnectionClosed.examples as readonly ConnectionClosedData[]

export function openedData(changes: Partial<ConnectionOpenedData> = {}): ConnectionOpenedData {
  return { ...openedExample!, attempts: [], ...changes }
}

export function closedData(changes: Partial<ConnectionClosedData> = {}): ConnectionClosedData {
  return { ...closedExample!, ...changes }
}

