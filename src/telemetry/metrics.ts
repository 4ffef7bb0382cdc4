import { streams } from '../../events/define.ts'
import { sleep, type Clock, type Timer } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import { contentTypes, familiesOf, formatFor, textOf, type Family, type TextFormat } from './exposition.ts'
import { Guard } from './guarded.ts'
import { InTime } from './in-time.ts'
import { nodeCertificates, type MetricSources } from './metric-sources.ts'
import { ConnectionCounts, histogramsWithExemplars, type TraceIdOf } from './metrics-connections.ts'
import { LogCounts } from './metrics-log.ts'
import { MetricsRegistry, type GaugeName, type MetricsRegister } from './metrics-registry.ts'
import { TrafficCounts } from './metrics-traffic.ts'
import { addProcessMetrics } from './process-metrics.ts'

/**
 * The numbers of one node, for Prometheus and for a collector: counts what the channels tell, and asks the node for the
 * rest when somebody collects.
 */

export interface MetricsOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** For exemplars. */
  readonly traceIdOf?: TraceIdOf
}

export interface Exposition {
  readonly contentType: string
  /** UTF-8, shared by all who got this one. */
  readonly body: Buffer
}

/** A collection serves all who ask within this time: who scrapes faster gets the same, and loads the node no more. */
export const freshMs = 1_000
/** Whether or not somebody collects, series of what is gone have to go. */
const lookMs = 60_000

interface Collected {
  /** Monotonic, when it began. */
  readonly atMs: number
  readonly families: readonly Family[]
  readonly texts: Map<TextFormat, Promise<Buffer>>
}

export class Metrics implements Disposable {
  readonly #clock: Clock
  readonly #guard: Guard
  readonly #registry: MetricsRegistry
  readonly #traffic: TrafficCounts
  readonly #connections: ConnectionCounts
  readonly #log: LogCounts
  readonly #stack = new DisposableStack()
  readonly #inTime: InTime
  #sources: MetricSources | null = null
  #space: Promise<void> = Promise.resolve()
  #collected: Collected | null = null
  #collecting: Promise<Collected> | null = null
  #forgetting: Timer | null = null

  /** Counts from now on, until disposed. */
  constructor({ clock, logger, traceIdOf }: MetricsOptions) {
    this.#clock = clock
    this.#guard = new Guard(logger)
    this.#inTime = new InTime(clock)
    this.#registry = new MetricsRegistry({
      first: () => this.#refresh(),
      later: {
        'log.disk.free': () => this.#space,
        'log.disk.size': () => this.#space,
        'certificate.expiry.timestamp': () => this.#askCertificates(),
      },
      withExemplars: traceIdOf === undefined ? [] : histogramsWithExemplars,
    })
    addProcessMetrics(this.register, () => this.#openDescriptors())
    this.#traffic = new TrafficCounts(clock, this.#registry)
    const options = { guard: this.#guard, registry: this.#registry, traceIdOf: traceIdOf ?? null, traffic: this.#traffic }
    this.#connections = this.#stack.use(new ConnectionCounts(options))
    this.#log = this.#stack.use(new LogCounts(clock, this.#registry, this.#guard))
  }

  /** Refreshed by whoever collects from it: `exposition` does that within bounds. */
  get register(): MetricsRegister {
    return this.#registry.register
  }

  /** From here on there is a node to ask. */
  attach(sources: MetricSources): void {
    const { cluster, log, versions } = sources
    this.#sources = sources
    this.#log.attach(log, cluster, this.#guard)
    const { node, openssl, waybill } = versions
    this.#registry.show('build.info', [{ labels: { node_version: node, openssl, version: waybill }, value: 1 }])
    this.#gauge('connections.limit', sources.connectionsMax)
    this.#look(sources)
    this.#stack.use(this.#clock.every(lookMs, () => this.#look(sources)))
  }

  /** All metrics as of now, for one who asks seldom: a last export must not tell of a moment ago. */
  collectNow(): Promise<readonly Family[]> {
    return familiesOf(this.register)
  }

  /**
   * As of now, or of a moment ago: one collection at a time, shared by all who ask meanwhile. `accept`: what the scraper would like, as in the
   * HTTP header. Null: it failed, which was told; never rejects.
   */
  async exposition(accept: string | undefined): Promise<Exposition | null> {
    const format = formatFor(accept)
    try {
      const { families, texts } = await this.#collect()
      const body = texts.get(format) ?? textOf(families, format, () => sleep(this.#clock, 0))
      texts.set(format, body)
      return { body: await body, contentType: contentTypes[format] }
    } catch (error) {
      this.#guard.tell('collecting metrics', error)
      return null
    }
  }

  [Symbol.dispose](): void {
    this.#forgetting?.[Symbol.dispose]()
    this.#stack.dispose()
  }

  #collect(): Promise<Collected> {
    const last = this.#collected
    if (last !== null && this.#clock.monotonicMs() - last.atMs < freshMs) return Promise.resolve(last)
    this.#collecting ??= this.#collectForAll().finally(() => (this.#collecting = null))
    return this.#collecting
  }

  async #collectForAll(): Promise<Collected> {
    const atMs = this.#clock.monotonicMs()
    const collected = { atMs, families: await this.collectNow(), texts: new Map() }
    this.#collected = collected
    // Of a large configuration it is too much to keep for nothing.
    this.#forgetting?.[Symbol.dispose]()
    this.#forgetting = this.#clock.after(freshMs, () => (this.#collected = null))
    return collected
  }

  /** All that can be told at once, in one turn of the event loop, so that the numbers fit each other. */
  #refresh(): void {
    const sources = this.#sources
    if (sources !== null) {
      this.#space = this.#askSpace(sources)
      this.#look(sources)
      this.#guard.run('asking the node', () => this.#ask(sources))
      this.#guard.run('asking the log', () => this.#askLog(sources))
    }
    for (const counts of [this.#traffic, this.#connections, this.#log]) this.#guard.run('showing what was counted', () => counts.write())
  }

  #look(sources: MetricSources): void {
    this.#guard.run('asking the data path', () => this.#traffic.look(sources.pools(), sources.open()))
  }

  #ask(sources: MetricSources): void {
    const { isFrozen, revision } = sources.configuration()
    this.#gauge('configuration.revision', revision)
    this.#gauge('configuration.frozen', isFrozen ? 1 : 0)
    this.#gauge('peeks.active', sources.peeking())
    this.#registry.show('listener.up', Array.from(sources.listeners(), ({ isUp, listener }) => ({ labels: { listener }, value: isUp ? 1 : 0 })))
  }

  #askLog({ cluster, log }: MetricSources): void {
    this.#registry.show('log.available', streams.map((stream) => ({ labels: { stream }, value: log.isAvailable(stream) ? 1 : 0 })))
    this.#registry.show('log.size', streams.map((stream) => ({ labels: { stream }, value: log.size(stream) })))
    this.#registry.show('fold.lag', streams.map((stream) => ({ labels: { stream }, value: log.foldLag(stream) })))
    if (cluster === null) return
    const { oldestMs, records } = cluster.backlog()
    this.#gauge('log.backlog.records', records)
    this.#gauge('log.backlog.age', oldestMs / 1_000)
    const skewMs = cluster.skewMs()
    this.#gauge('clock.skew', skewMs === null ? null : skewMs / 1_000)
  }

  async #askSpace({ log }: MetricSources): Promise<void> {
    const space = await this.#inTime.answer('space', () => log.space())
    this.#gauge('log.disk.free', space?.freeBytes ?? null)
    this.#gauge('log.disk.size', space?.totalBytes ?? null)
  }

  async #askCertificates(): Promise<void> {
    const cluster = this.#sources?.cluster ?? null
    if (cluster === null) return
    const expiries = await Promise.all(
      nodeCertificates.map(async (certificate) => [certificate, await this.#inTime.answer(certificate, () => cluster.certificateExpiry(certificate))] as const),
    )
    const known = expiries.flatMap(([certificate, ms]) => (ms === null ? [] : [{ labels: { certificate }, value: ms / 1_000 }]))
    this.#registry.show('certificate.expiry.timestamp', known)
  }

  async #openDescriptors(): Promise<number | null> {
    const sources = this.#sources
    return sources === null ? null : await this.#inTime.answer('descriptors', () => sources.openDescriptors())
  }

  /** Null: not known, so it is not shown. */
  #gauge(name: GaugeName, value: number | null): void {
    this.#registry.show(name, value === null ? [] : [{ labels: {}, value }])
  }
}
