import { encodeDraft, placeDraft, type Draft } from '../../events/envelope.ts'
import { readRecord } from '../../events/catalog.ts'
import { leafHash, zeroHash } from '../../events/chain.ts'
import { apply } from '../../projections/projection.ts'
import { routing, type Routing } from '../../projections/routing.ts'
import { noChange, type Decide, type Decision, type Request, type Rules, type Stamp } from '../../src/commands/decision.ts'
import { canonicalJson } from '../support/canonical.ts'

/** Given a history of commands that took effect, when a command comes, then a decision: specs for deciders. */

export const rules: Rules = {
  autoDefaultRoute: true,
  api: { ip: '127.0.0.1', port: 4000 },
  ops: { ip: '0.0.0.0', port: 9464 },
  sharedListen: { ip: '::', port: 8443 },
}

export const request: Request = {
  actor: { authn: 'none', id: 'loopback', type: 'local' },
  change: noChange,
  origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
  file: null,
  idempotency: null,
  ifMatch: null,
}

export const stamp: Stamp = { recordId: '0198c0de-0000-7000-8000-000000000001', time: '2026-11-24T08:00:00.000Z' }

export interface Given {
  readonly state: Routing
  readonly when: <Command extends Request, Data extends object>(
    decide: Decide<Command, Data>,
    command: Omit<Command, keyof Request> & Partial<Request>,
    byRules?: Rules,
  ) => Decision<Data>
  /** The history goes on with this command, which must take effect. */
  readonly and: <Command extends Request, Data extends object>(
    decide: Decide<Command, Data>,
    command: Omit<Command, keyof Request> & Partial<Request>,
  ) => Given
}

export function given(state: Routing = routing.initial()): Given {
  const when: Given['when'] = (decide, command, byRules = rules) => {
    const decision = decide(state, { ...request, ...command, ...stamp } as unknown as Parameters<typeof decide>[1], byRules)
    if ('record' in decision) recorded(state, decision.record)
    return decision
  }
  return {
    state,
    when,
    and: (decide, command) => {
      const decision = when(decide, command)
      if (!('record' in decision)) throw new Error(`the history does not hold: ${JSON.stringify(decision)}`)
      return given(recorded(state, decision.record))
    },
  }
}

/** Through the exact bytes and the catalog, so that whatever a decider decides is also a valid, canonical record. */
export function recorded(state: Routing, record: Omit<Draft, 'revision' | 'basis'>): Routing {
  const draft: Draft = { ...record, revision: state.revision + 1, basis: state.basis }
  const writer = { source: '/clusters/c/nodes/n/e/control', run: '0198c0de-0000-7000-8000-000000000002' }
  const text = placeDraft(encodeDraft(draft, writer), state.revision, zeroHash)
  if (canonicalJson(JSON.parse(text)) !== text) throw new Error(`not RFC 8785: ${text}`)
  const reading = readRecord(text)
  if (reading.kind !== 'event') throw new Error(`not a record: ${JSON.stringify(reading)}`)
  return apply(routing, state, { event: reading.event, leafHash: leafHash(text) })
}
