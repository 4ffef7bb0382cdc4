import { HealthChanged } from '../../events/health.ts'
import type { Clock } from '../core/clock.ts'
import type { Drafts } from '../log/drafts.ts'
import type { Notes } from '../log/notes.ts'
import type { BackendState } from './backends.ts'
import { judge, resultsNeeded } from './health-state.ts'

/** The one writer of backend health on this node: takes results of checks and dials, and puts each change on record. */
export class HealthBook {
  readonly #clock: Clock
  readonly #notes: Notes
  readonly #drafts: Drafts

  constructor(clock: Clock, notes: Notes, drafts: Drafts) {
    this.#clock = clock
    this.#notes = notes
    this.#drafts = drafts
  }

  /** Failures are counted in a row, and this one breaks the row. Only checks bring a backend up. */
  dialSucceeded(backend: BackendState): void {
    if (backend.health.state !== 'up') return
    backend.checkedAtMs = this.#clock.now()
    if (backend.health.against > 0) backend.health = judge(backend.health, true)
  }

  /** `code`: what failed; null when it succeeded. */
  report(
    backend: BackendState,
    succeeded: boolean,
    because: 'check_failed' | 'check_succeeded' | 'dial_failed',
    code: string | null,
  ): void {
    const before = backend.health
    const after = judge(before, succeeded)
    backend.health = after
    backend.checkedAtMs = this.#clock.now()
    backend.lastCode = succeeded ? (after.state === 'up' ? null : backend.lastCode) : code
    if (after.state === before.state || after.state === 'new') return
    const draft = this.#drafts.make(HealthChanged, `backends/${backend.pool}/${backend.id}`, {
      backend: backend.id,
      because,
      code: succeeded ? null : code,
      consecutive: resultsNeeded(before.state),
      from: before.state,
      pool: backend.pool,
      to: after.state,
    })
    this.#notes.write('operations', `health ${backend.pool} ${backend.id}`, draft)
  }
}
