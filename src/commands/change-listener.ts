import { ListenerChanged, type ListenerChangedData } from '../../events/listener.ts'
import { listenerCases, type Declaration, type ListenerAnswer, type ListenerCase } from '../../events/values.ts'
import { hasListener, untouchedListener, type ListenerPolicy } from '../../projections/listeners.ts'
import type { Routing } from '../../projections/routing.ts'
import {
  controlDraft, mismatch, notOwner, refuse, tooLarge, unknownListener,
  type Decision, type Refusal, type Request, type Stamp,
} from './decision.ts'

/** What a listener does with clients whose hello leads to no pool. */

/** Only the cases that are there are changed; null gives a case back to its default. */
export type ListenerChanges = { readonly declaration?: Declaration } & { readonly [Case in ListenerCase]?: ListenerAnswer | undefined }

export interface ChangeListener extends Request {
  /** `shared`, or `pools/<name>`. */
  readonly listener: string
  readonly set: ListenerChanges
}

type Changed = ListenerChangedData['set']

export function decideChangeListener(routing: Routing, command: ChangeListener & Stamp): Decision<ListenerChangedData> {
  const { listener } = command
  if (!hasListener(routing, listener)) return unknownListener(listener)
  const policy = routing.listeners.get(listener) ?? untouchedListener
  const what = `Listener "${listener}"`
  const stale = mismatch(what, policy, command.ifMatch)
  if (stale) return stale
  const set = onlyDifferent(policy, command.set)
  if (Object.keys(set).length === 0) return { unchanged: true }
  const record = controlDraft(command, ListenerChanged, `listeners/${listener}`, {
    actor: command.actor,
    change: command.change,
    idempotency: command.idempotency,
    listener,
    origin: command.origin,
    set,
  })
  return tooLarge(record) ?? notOwnerOfAny(what, policy, command, set) ?? unusableAnswer(routing, set) ?? { record }
}

/** What would be as it is already is no change. In the order of the record. */
function onlyDifferent({ answers, declaration }: ListenerPolicy, wanted: ListenerChanges): Changed {
  const set: Changed = {}
  if (wanted.declaration !== undefined && JSON.stringify(wanted.declaration) !== JSON.stringify(declaration)) {
    set.declaration = wanted.declaration
  }
  for (const what of listenerCases) {
    const answer = wanted[what]
    if (answer !== undefined && JSON.stringify(answer) !== JSON.stringify(answers[what] ?? null)) set[what] = answer
  }
  return set
}

function notOwnerOfAny(what: string, policy: ListenerPolicy, command: ChangeListener, set: Changed): { refusal: Refusal } | null {
  for (const field of Object.keys(set)) {
    const refused = notOwner(what, policy, command, field === 'declaration' ? null : field)
    if (refused) return refused
  }
  return null
}

/** Clients can be sent to pools that exist, and such that speak no TLS only to a pool that allows it. */
function unusableAnswer(routing: Routing, set: Changed): { refusal: Refusal } | null {
  for (const what of listenerCases) {
    const answer = set[what]
    if (typeof answer !== 'object' || answer === null) continue
    const field = `${what}.pool`
    const pool = routing.pools.get(answer.pool)
    if (pool === undefined) {
      const sentence = `There is no pool "${answer.pool}" that clients could be sent to. Create it first, or name one that GET /api/pools lists.`
      return refuse('listener_pool_unknown', sentence, { field, extra: { pool: answer.pool } })
    }
    if (what !== 'not_tls' || pool.allowPlaintext) continue
    return refuse(
      'plaintext_not_allowed',
      `Pool "${pool.name}" takes TLS only, so clients that speak something else can't be sent there. Set its ` +
        'allow_plaintext, with the business need, or send them to a pool that has it.',
      { field, extra: { pool: pool.name } },
    )
  }
  return null
}
