import type { WaybillEvent } from '../../events/catalog.ts'
import { HealthDrainCompleted } from '../../events/health.ts'
import type { Actor } from '../../events/values.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { invariant } from '../core/errors.ts'
import type { Drafts } from '../log/drafts.ts'
import type { Notes } from '../log/notes.ts'
import type { Backends, BackendState } from './backends.ts'
import type { Ending } from './engine.ts'

/**
 * Backends that leave: what is open to them goes on, or is ended by the pool's drain timeout or by force, and when the last one
 * is over this node says so on record, once for each drain. The timeout is the one in force when the drain began, whatever
 * becomes of the pool's; a drain that is resumed is forgotten; one that the end of the process cuts short is not completed
 * later (its closing records say `shutdown` or `node_lost`).
 */

type Because = 'drain_timeout' | 'finished' | 'forced'

interface Drain {
  readonly connectionsAtStart: number
  readonly revision: number
  /** RFC 3339, of the change. */
  readonly since: string
  readonly timer: Timer | null
  because: Because
}

export interface DrainParts {
  readonly backends: Backends
  readonly clock: Clock
  readonly drafts: Drafts
  readonly notes: Notes
}

/** Ending one costs about 0.1 ms, with its record. */
const endedPerTurn = 64

const timeoutEnding: Ending = { by: 'proxy', because: 'drain_timeout', code: null }

export class Drains implements Disposable {
  readonly #parts: DrainParts
  readonly #running = new Map<BackendState, Drain>()

  constructor(parts: DrainParts) {
    this.#parts = parts
  }

  /** The backends that a change concerns; to be asked before the change is taken over, which forgets those removed. */
  concerned(event: WaybillEvent): readonly BackendState[] {
    const { backends } = this.#parts
    switch (event.type) {
      case 'dev.waybill.backend.drained.v1':
      case 'dev.waybill.backend.removed.v1':
        return backends.named(event.data.pool, event.data.id)
      case 'dev.waybill.backend.resumed.v1': {
        const backend = backends.find(event.data.pool, event.data.id)
        return backend === undefined ? [] : [backend]
      }
      case 'dev.waybill.pool.removed.v1':
        // Also what went before the pool did and still has connections.
        return [...backends.ofPool(event.data.name), ...backends.leftOf(event.data.name)]
      default:
        return []
    }
  }

  /** An effective change was taken over. `drainTimeoutMs`: of the pool, as it was right before. */
  take(event: WaybillEvent, concerned: readonly BackendState[], drainTimeoutMs: number | null): void {
    for (const backend of concerned) {
      if (event.type === 'dev.waybill.backend.resumed.v1') this.#cancel(backend)
      else this.#begin(backend, event, drainTimeoutMs)
    }
    if (!('force' in event.data) || !event.data.force) return
    for (const backend of concerned) this.#force(backend, event.data.actor)
  }

  [Symbol.dispose](): void {
    for (const backend of this.#running.keys()) this.#cancel(backend)
  }

  /** One that runs already goes on: it was drained and is now removed, or forced. */
  #begin(backend: BackendState, { revision, time }: WaybillEvent, drainTimeoutMs: number | null): void {
    if (this.#running.has(backend)) return
    invariant(revision !== undefined, 'a change that is effective has a revision')
    const { clock } = this.#parts
    const timer = drainTimeoutMs === null ? null : clock.after(drainTimeoutMs, () => this.#timeOut(backend))
    this.#running.set(backend, { connectionsAtStart: backend.leases, revision, since: time, timer, because: 'finished' })
    backend.endedByDrain = 0
    backend.whenIdle = () => this.#complete(backend)
    if (backend.leases === 0) this.#complete(backend)
  }

  #timeOut(backend: BackendState): void {
    this.#end(backend, 'drain_timeout', timeoutEnding)
  }

  #force(backend: BackendState, actor: Actor): void {
    this.#end(backend, 'forced', { actor, by: 'operator', because: 'drain_forced', code: null })
  }

  #end(backend: BackendState, because: Because, ending: Ending): void {
    const drain = this.#running.get(backend)
    if (drain === undefined) return
    drain.because = because
    backend.ending = ending
    this.#endSome(backend, ending)
  }

  /** A few in each turn, so that everybody else is served meanwhile; those that open in between end by themselves. */
  #endSome(backend: BackendState, ending: Ending): void {
    if (backend.ending !== ending) return
    let left = endedPerTurn
    for (const link of backend.open) {
      if (left === 0) {
        this.#parts.clock.after(0, () => this.#endSome(backend, ending))
        return
      }
      left -= 1
      link.abort(ending)
    }
  }

  #complete(backend: BackendState): void {
    const drain = this.#running.get(backend)
    if (drain === undefined) return
    const { drafts, notes } = this.#parts
    const { id, pool } = backend
    const draft = drafts.make(HealthDrainCompleted, `backends/${pool}/${id}`, {
      backend: id,
      because: drain.because,
      connections_at_start: drain.connectionsAtStart,
      connections_ended: backend.endedByDrain,
      pool,
      revision: drain.revision,
      since: drain.since,
    })
    this.#cancel(backend)
    notes.write('operations', `drain ${pool} ${id} ${drain.revision}`, draft)
  }

  #cancel(backend: BackendState): void {
    this.#running.get(backend)?.timer?.[Symbol.dispose]()
    this.#running.delete(backend)
    backend.whenIdle = null
    backend.ending = null
  }
}
