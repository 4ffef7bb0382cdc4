import { routing as projection, type Routing } from '../../projections/routing.ts'
import { apply } from '../../projections/projection.ts'
import { LogDamaged, type EventLog } from '../log/event-log.ts'
import { Intake } from './intake.ts'
import type { Moment, RoutingHistory } from './snapshots/history.ts'

/** The configuration of the past, folded from the log by the same way in and the same fold as the one of now. */

export interface PastConfiguration {
  /** As it was right after the change that made it. */
  readonly routing: Routing
  readonly revision: number
  /** When it came into force (`Routing.changedAt`); null: before the first change. */
  readonly time: string | null
}

/** There is no such revision (yet); `newest` is the last one that there is. */
export interface RevisionUnknown {
  readonly unknown: number
  readonly newest: number
}

/**
 * At a time: the longest prefix of effective changes none of which has a later `time`. At a revision: exactly that one.
 * Where the control stream can't be followed (a gap, a contradiction, a type of a newer version), the past ends as the
 * present does: with the last configuration before it. With `history` the fold is short. Throws `LogDamaged` when
 * stored bytes are not records.
 */
export async function configurationAt(
  log: Pick<EventLog, 'read'>,
  moment: Moment,
  history?: RoutingHistory,
): Promise<PastConfiguration | RevisionUnknown> {
  const start = (await history?.nearest(log, moment)) ?? null
  let frozen = false
  const intake = new Intake('control', (kind, detail) => {
    if (kind === 'malformed') throw new LogDamaged(detail)
    frozen = true
  }, start?.intake)
  let state = start?.routing ?? projection.initial()
  let found = state
  reading: for await (const batch of log.read('control', { after: intake.position, follow: false })) {
    for (const record of batch) {
      if (isReached(found, moment)) break reading
      const recorded = intake.take(record, undefined)
      if (frozen) break reading
      if (recorded === null) continue
      state = apply(projection, state, recorded)
      if (state.basis !== recorded.leafHash) continue
      if (isBeyond(state, moment)) break reading
      found = state
    }
  }
  if ('revision' in moment && found.revision !== moment.revision) return { unknown: moment.revision, newest: found.revision }
  return { routing: found, revision: found.revision, time: found.changedAt }
}

function isReached({ revision }: Routing, moment: Moment): boolean {
  return 'revision' in moment && revision === moment.revision
}

/** Every later change is beyond it as well: `changedAt` never goes back. */
function isBeyond({ changedAt }: Routing, moment: Moment): boolean {
  return 'at' in moment && changedAt !== null && changedAt > moment.at
}
