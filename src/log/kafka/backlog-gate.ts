import type { Clock, Timer } from '../../core/clock.ts'
import type { Backlog } from '../cluster-log.ts'
import type { StreamGates } from './stream-gates.ts'

/** Where this node's own disk is enough for a record (`durable_when: local`): closes its streams while too much is owed to Kafka. */

const lookMs = 250

export interface BacklogGateOptions {
  readonly backlog: () => Backlog
  readonly clock: Clock
  readonly gates: StreamGates
  readonly max: { readonly records: number; readonly ms: number }
}

export class BacklogGate implements Disposable {
  readonly #options: BacklogGateOptions
  readonly #timer: Timer

  constructor(options: BacklogGateOptions) {
    this.#options = options
    this.#timer = options.clock.every(lookMs, () => this.#look())
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
  }

  #look(): void {
    const { backlog, gates, max } = this.#options
    const { oldestMs, records } = backlog()
    const full = records > max.records || oldestMs > max.ms
    const reason = full ? { code: 'BACKLOG_FULL', syscall: 'produce' } : null
    for (const stream of ['connections', 'operations'] as const) gates.set(stream, 'backlog', reason)
  }
}
