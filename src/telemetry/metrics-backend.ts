import type { ConnectionClosedData } from '../../events/connection.ts'
import type { Labels, MetricsRegistry, Observe, Series } from './metrics-registry.ts'

/** What is counted of one backend and of one pool, as plain numbers, with the labels that they are shown by. */

/** What a dial fails with where names and networks are in order; there from the start, so that the first one is an increase. */
const usualFailures = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENOTFOUND', 'timeout'] as const
const knownFailures: ReadonlySet<string> = new Set([
  ...usualFailures, 'EACCES', 'EADDRNOTAVAIL', 'EAGAIN', 'EAI_AGAIN', 'EAI_FAIL', 'ECONNABORTED', 'ECONNRESET', 'EHOSTDOWN', 'EMFILE', 'ENETDOWN',
  'ENETUNREACH', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EPERM', 'EPIPE', 'ETIMEDOUT', 'EUNKNOWN',
])

export class BackendCounts {
  readonly labels: Labels
  readonly #toBackend: Labels
  readonly #toClient: Labels
  readonly #failed: Labels
  readonly #succeeded: Labels
  readonly #dialFailures = new Map<string, { readonly labels: Labels; value: number }>()
  opened = 0
  /** Of connections that are over. */
  #bytesToBackend = 0
  #bytesToClient = 0
  checksFailed = 0
  checksSucceeded = 0
  /** Open ones, as of the last look. */
  openNow = 0
  openToBackend = 0
  openToClient = 0
  /** Of the configuration; null: it is not in there. */
  configured: { readonly up: number; readonly weight: number } | null = null
  /** Monotonic; null: it may still grow. */
  idleSinceMs: number | null = null

  constructor(pool: string, backend: string) {
    this.labels = { pool, backend }
    this.#toBackend = { ...this.labels, direction: 'to_backend' }
    this.#toClient = { ...this.labels, direction: 'to_client' }
    this.#failed = { ...this.labels, result: 'failed' }
    this.#succeeded = { ...this.labels, result: 'succeeded' }
    for (const reason of usualFailures) this.#dialFailuresBy(reason)
  }

  get canGrow(): boolean {
    return this.configured !== null || this.openNow > 0
  }

  closed({ bytes_to_backend, bytes_to_client }: ConnectionClosedData): void {
    this.#bytesToBackend += bytes_to_backend
    this.#bytesToClient += bytes_to_client
  }

  dialFailed(code: string): void {
    this.#dialFailuresBy(knownFailures.has(code) ? code : 'other').value += 1
  }

  forgetNow(): void {
    this.configured = null
    this.openNow = 0
    this.openToBackend = 0
    this.openToClient = 0
  }

  bytes(): Series[] {
    return [
      { labels: this.#toBackend, value: this.#bytesToBackend + this.openToBackend },
      { labels: this.#toClient, value: this.#bytesToClient + this.openToClient },
    ]
  }

  checks(): Series[] {
    return [{ labels: this.#failed, value: this.checksFailed }, { labels: this.#succeeded, value: this.checksSucceeded }]
  }

  dialFailures(): Series[] {
    return Array.from(this.#dialFailures.values(), ({ labels, value }) => ({ labels, value }))
  }

  #dialFailuresBy(reason: string): { value: number } {
    let failures = this.#dialFailures.get(reason)
    if (failures === undefined) {
      failures = { labels: { ...this.labels, reason }, value: 0 }
      this.#dialFailures.set(reason, failures)
    }
    return failures
  }
}

export class PoolCounts {
  readonly labels: Labels
  /** Those that share one appear with it under each of their ids. */
  readonly backends = new Map<string, BackendCounts>()
  readonly checkSeconds: Observe
  readonly connectionSeconds: Observe
  readonly dialSeconds: Observe
  retries = 0
  isConfigured = false
  /** Monotonic; null: it may still grow. */
  idleSinceMs: number | null = null
  readonly #registry: MetricsRegistry

  constructor(name: string, registry: MetricsRegistry) {
    this.#registry = registry
    this.labels = { pool: name }
    this.checkSeconds = registry.observing('backend.check.duration', this.labels)
    this.connectionSeconds = registry.observing('connection.duration', this.labels)
    this.dialSeconds = registry.observing('dial.duration', this.labels)
  }

  get canGrow(): boolean {
    return this.isConfigured || this.backends.values().some(({ canGrow }) => canGrow)
  }

  /** Takes what prom-client keeps of it out of there. */
  forget(): void {
    for (const name of ['backend.check.duration', 'connection.duration', 'dial.duration'] as const) this.#registry.histogram(name).remove(this.labels)
  }
}
