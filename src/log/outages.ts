import type { Stream } from '../../events/define.ts'
import { LogFailed, LogRestored } from '../../events/log.ts'
import { rfc3339, type Clock } from '../core/clock.ts'
import type { Drafts } from './drafts.ts'
import type { Availability, EventLog } from './event-log.ts'

/** Puts on record, once it can be, when a stream could not be written, why, and for how long. */

export interface OutageParts {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly log: EventLog
  /** Records that did not fit while waiting, since the last time somebody asked. */
  readonly takeDropped: () => number
  /** Told at once, for people: the record comes later. */
  readonly tell: (stream: Stream, now: Availability) => void
}

type Outage = Extract<Availability, { available: false }>

export function recordOutages({ clock, drafts, log, takeDropped, tell }: OutageParts): Disposable {
  const running = new Map<Stream, Outage>()
  return log.onAvailability((stream, now) => {
    const outage = running.get(stream)
    if (!now.available) {
      if (outage !== undefined) return
      running.set(stream, now)
      tell(stream, now)
      return
    }
    if (outage === undefined) return
    running.delete(stream)
    tell(stream, now)
    const since = rfc3339(outage.sinceMs)
    const failed = drafts.make(LogFailed, `log/${stream}`, { code: outage.code, since, stream, syscall: outage.syscall })
    const restored = drafts.make(LogRestored, `log/${stream}`, {
      notes_dropped: takeDropped(),
      since,
      stream,
      unavailable_ms: Math.max(0, clock.now() - outage.sinceMs),
    })
    // Rejects only when the log closes first, and then the next start has nothing to add.
    log.append('operations', [failed, restored], { purpose: 'owed' }).catch(() => {})
  })
}
