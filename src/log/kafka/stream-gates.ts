import { streams, type Stream } from '../../../events/define.ts'
import type { Clock } from '../../core/clock.ts'
import type { CommitFailure } from '../commit-store.ts'
import { NotWritten, type Availability, type EventLog } from '../event-log.ts'

/** Whether each stream takes records: the node's own log has to, and nothing between it and the cluster may stand against it. */

type Listener = Parameters<EventLog['onAvailability']>[0]
/** Who may stand against a stream, each with at most one reason. */
export type Gatekeeper = 'backlog' | 'brokers' | 'copy' | 'shipper' | 'topic'

export class StreamGates implements Disposable {
  readonly #clock: Clock
  readonly #own: Pick<EventLog, 'availability'>
  readonly #reasons: Readonly<Record<Stream, Map<Gatekeeper, CommitFailure>>> = { control: new Map(), connections: new Map(), operations: new Map() }
  readonly #now: Record<Stream, Availability> = { control: { available: true }, connections: { available: true }, operations: { available: true } }
  readonly #listeners = new Set<Listener>()
  readonly #subscription: Disposable

  constructor(clock: Clock, own: Pick<EventLog, 'availability' | 'onAvailability'>) {
    this.#clock = clock
    this.#own = own
    this.#subscription = own.onAvailability((stream) => this.#look(stream))
    for (const stream of streams) this.#look(stream)
  }

  set(stream: Stream, who: Gatekeeper, reason: CommitFailure | null): void {
    if (reason === null) this.#reasons[stream].delete(who)
    else this.#reasons[stream].set(who, reason)
    this.#look(stream)
  }

  /** Of one stream, or the one that has been unavailable for longest. */
  availability(stream?: Stream): Availability {
    if (stream !== undefined) return this.#now[stream]
    let worst: Availability = { available: true }
    for (const each of streams) {
      const now = this.#now[each]
      if (!now.available && (worst.available || now.sinceMs < worst.sinceMs)) worst = now
    }
    return worst
  }

  /** Why an admission is refused now; null: it is not. */
  against(stream: Stream): NotWritten | null {
    const now = this.#now[stream]
    if (now.available) return null
    return new NotWritten(now.code, `not written to the ${stream} stream: it is not available (${now.syscall}: ${now.code})`)
  }

  onAvailability(listener: Listener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  #look(stream: Stream): void {
    const before = this.#now[stream]
    const now = this.#judged(stream, before)
    if (before.available && now.available) return
    this.#now[stream] = now
    if (before.available !== now.available) for (const listener of this.#listeners) listener(stream, now)
  }

  #judged(stream: Stream, before: Availability): Availability {
    const own = this.#own.availability(stream)
    if (!own.available) return own
    const [reason] = this.#reasons[stream].values()
    if (reason === undefined) return own
    const sinceMs = before.available ? this.#clock.now() : before.sinceMs
    return { available: false, code: reason.code, sinceMs, syscall: reason.syscall }
  }
}
