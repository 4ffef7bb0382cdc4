import { formatEndpoint } from '../../src/core/endpoint.ts'
import { effectiveOf } from './check-changes.ts'
import { is } from './check-connections.ts'
import type { Evidence } from './evidence.ts'
import type { LogRecord } from './log-reader.ts'

/** Connections that somebody ends: in time, on record as what it was, and each drain said to be over when it is. */
export function checkDrains(evidence: Evidence): string[] {
  const leavings = leavingsOf(effectiveOf(evidence.log.control))
  return [...checkEnded(evidence), ...checkInTime(evidence, leavings), ...checkCompleted(evidence, leavings)]
}

/** A backend that takes no new connections from a revision on. */
interface Leaving {
  readonly key: string
  readonly record: LogRecord
  readonly force: boolean
  /** Null: its connections may go on as long as they like. */
  readonly drainTimeoutMs: number | null
  /** It was there already, leaving. */
  readonly again: boolean
  resumed: boolean
}

/** An aborted connection is a matter of one turn; the wire may be busy with what was on its way. */
const slackMs = 1_500

/** What an operator ended is on record as that, with who it was; only a crash may have come first. */
function checkEnded({ ended, lives, log }: Evidence): string[] {
  const problems: string[] = []
  const closed = new Map(log.connections.filter((record) => is(record, 'closed')).map(({ json }) => [json.data.connection_id, json.data.close]))
  for (const { connectionId, life } of ended) {
    const close = closed.get(connectionId)
    if (close?.because === 'operator_ended' && close.by === 'operator' && close.actor !== null) continue
    if (lives.some((each) => each.life === life && each.ending === 'stopped')) {
      problems.push(`${connectionId} was ended by the operator and is on record as ${close?.because}`)
    }
  }
  for (const [id, { actor, by }] of closed) if ((by === 'operator') !== (actor !== null)) problems.push(`${id} was ended by ${by}, whose name is ${actor?.id}`)
  return problems
}

/** After the answer, and the pool's patience, not a byte goes to a backend that leaves. */
function checkInTime({ commands, dialled, log }: Evidence, leavings: readonly Leaving[]): string[] {
  const problems: string[] = []
  const answeredMs = new Map(commands.flatMap(({ answer, answeredMs: atMs }) => (answer?.kind === 'effective' ? [[answer.id, atMs] as const] : [])))
  const traces = new Map(dialled.map(({ socket }) => [formatEndpoint(socket.local), socket.trace]))
  for (const leaving of leavings) {
    const atMs = answeredMs.get(leaving.record.json.id)
    const patienceMs = leaving.force ? 0 : leaving.drainTimeoutMs
    if (atMs === undefined || patienceMs === null || leaving.resumed || (leaving.again && !leaving.force)) continue
    for (const { json } of log.connections.filter((record) => is(record, 'opened'))) {
      if (`${json.data.pool} ${json.data.backend}` !== leaving.key || json.data.revision >= leaving.record.json.revision) continue
      const lastMs = traces.get(formatEndpoint(json.data.local_address))?.lastTakenMs ?? 0
      if (lastMs > atMs + patienceMs + slackMs) {
        problems.push(`${json.data.connection_id} still sent to ${leaving.key} ${Math.round(lastMs - atMs)} ms after that began to leave`)
      }
    }
  }
  return problems
}

/** Each drain of the last process life, which ended in order, is said to be over, and no drain twice. */
function checkCompleted({ lives, log }: Evidence, leavings: readonly Leaving[]): string[] {
  const problems: string[] = []
  const completed = new Set<string>()
  for (const { json } of log.operations) {
    if (json.type !== 'dev.waybill.health.drain_completed.v1') continue
    const { backend, pool, revision } = json.data
    const name = `${pool} ${backend} at revision ${revision}`
    if (completed.has(name)) problems.push(`the drain of ${name} is over twice`)
    completed.add(name)
    if (!leavings.some(({ key, record }) => key === `${pool} ${backend}` && record.json.revision === revision)) problems.push(`there was no drain of ${name}`)
  }
  const last = lives.at(-1)
  for (const { again, key, record, resumed } of leavings) {
    if (record.json.run !== last?.run || last?.ending !== 'stopped' || resumed || again) continue
    if (!completed.has(`${key} at revision ${record.json.revision}`)) problems.push(`the drain of ${key} at revision ${record.json.revision} is never over`)
  }
  return problems
}

function leavingsOf(effective: readonly LogRecord[]): Leaving[] {
  const leavings: Leaving[] = []
  const draining = new Map<string, Leaving>()
  const backends = new Map<string, Set<string>>()
  const timeouts = new Map<string, number | null>()
  const leave = (record: LogRecord, pool: string, id: string, gone: boolean): void => {
    const key = `${pool} ${id}`
    const leaving: Leaving = {
      key, record, force: record.json.data.force, drainTimeoutMs: timeouts.get(pool) ?? null, again: draining.has(key), resumed: false,
    }
    leavings.push(leaving)
    if (gone) {
      draining.delete(key)
      backends.get(pool)?.delete(id)
    } else if (!leaving.again) draining.set(key, leaving)
  }
  for (const record of effective) {
    const { data, type } = record.json
    switch (type) {
      case 'dev.waybill.pool.created.v1':
        backends.set(data.name, new Set(data.backends.map(({ id }: { id: string }) => id)))
        timeouts.set(data.name, data.drain_timeout)
        break
      case 'dev.waybill.pool.changed.v1':
        if (data.set.drain_timeout !== undefined) timeouts.set(data.name, data.set.drain_timeout)
        break
      case 'dev.waybill.backend.added.v1':
        backends.get(data.pool)?.add(data.id)
        break
      case 'dev.waybill.backend.drained.v1':
        leave(record, data.pool, data.id, false)
        break
      case 'dev.waybill.backend.resumed.v1': {
        const leaving = draining.get(`${data.pool} ${data.id}`)
        if (leaving !== undefined) leaving.resumed = true
        draining.delete(`${data.pool} ${data.id}`)
        break
      }
      case 'dev.waybill.backend.removed.v1':
        leave(record, data.pool, data.id, true)
        break
      case 'dev.waybill.pool.removed.v1':
        for (const id of backends.get(data.name) ?? []) leave(record, data.name, id, true)
        break
    }
  }
  return leavings
}
