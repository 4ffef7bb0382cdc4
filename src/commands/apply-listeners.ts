import { listenerCases, type Declaration, type ListenerAnswer, type ListenerCase } from '../../events/values.ts'
import { ownPoolOf, type ListenerPolicy } from '../../projections/listeners.ts'
import type { Routing } from '../../projections/routing.ts'
import type { Step } from './apply-plan.ts'
import { ownedBy, ownedFields, type Path } from './apply-targets.ts'
import { decideChangeListener, type ListenerChanges } from './change-listener.ts'
import type { PoolChanges } from './change-pool.ts'

/**
 * What a declaration file wants of listeners, as commands around those for the pools: what stands in the way of a pool
 * that goes is given up before, and pools are named once they are what that needs.
 */

/** Cases as in the file. What is left out is not declared; null declares the default. */
export type DeclaredListener = { readonly [Case in ListenerCase]?: ListenerAnswer | undefined }
/** By listener: `shared`, or `pools/<name>`. */
export type DeclaredListeners = Readonly<Record<string, DeclaredListener>>

/** What will become of the pools. */
export interface Outlook {
  readonly removed: ReadonlySet<string>
  /** By name, of pools that exist and stay. */
  readonly changes: ReadonlyMap<string, PoolChanges>
}

export interface ListenerSteps {
  /** Before any pool is removed or changed. */
  readonly before: readonly Step[]
  /** After all of them. */
  readonly after: readonly Step[]
}

interface Wish {
  readonly listener: string
  readonly path: Path
  readonly set: ListenerChanges
}

/** `declared` null: the file says nothing of listeners, so those it owns stay as they are. */
export function listenerSteps(routing: Routing, declared: DeclaredListeners | null, file: string, outlook: Outlook): ListenerSteps {
  const wishes = new Map((declared === null ? [] : wishesOf(routing, declared, file)).map((wish) => [wish.listener, wish]))
  const touched = [...new Set([...routing.listeners.keys(), ...wishes.keys()])]
  return {
    before: touched.flatMap((listener) => giveUp(routing, listener, wishes.get(listener), outlook)),
    after: touched.flatMap((listener) => bringAbout(routing, listener, wishes.get(listener), outlook)),
  }
}

function wishesOf(routing: Routing, declared: DeclaredListeners, file: string): Wish[] {
  const released = [...routing.listeners].filter(([listener, policy]) => ownedBy(policy, file) && declared[listener] === undefined)
  return [
    ...released.map(([listener, policy]) => ({ listener, path: [], set: { ...defaultsOf(ownedFields(policy, file)), declaration: null } })),
    ...Object.entries(declared).map(([listener, answers]) => wishOf(routing.listeners.get(listener), listener, answers, file)),
  ]
}

/** Everything that the file sets, and what it set before and no longer does. */
function wishOf(policy: ListenerPolicy | undefined, listener: string, answers: DeclaredListener, file: string): Wish {
  const fields = listenerCases.filter((what) => answers[what] !== undefined)
  const said = Object.fromEntries(fields.map((what) => [what, answers[what]])) as ListenerChanges
  const before = policy === undefined ? [] : ownedFields(policy, file)
  const declaration: Declaration = { fields: [...fields], file }
  return { listener, path: ['listeners', listener], set: { ...defaultsOf(before), ...said, declaration } }
}

function defaultsOf(fields: readonly string[]): ListenerChanges {
  return Object.fromEntries(listenerCases.filter((what) => fields.includes(what)).map((what) => [what, null]))
}

/** Answers that name a pool which will not be there, or not for them. Where the new answer has to wait, it is refused until then. */
function giveUp(routing: Routing, listener: string, wish: Wish | undefined, outlook: Outlook): Step[] {
  const ending = ends(listener, outlook)
  const inTheWay = obstaclesOf(routing, listener, outlook).filter((what) => ending || wish?.set[what] !== undefined)
  if (inTheWay.length === 0) return []
  const possible = (what: ListenerCase): boolean => isPossible(routing, what, wish?.set[what], outlook)
  if (!ending && wish !== undefined && listenerCases.every(possible)) return [stepOf(wish)]
  const set = Object.fromEntries(inTheWay.map((what) => [what, !ending && possible(what) ? wish?.set[what] : 'refuse'])) as ListenerChanges
  return [stepOf({ listener, path: wish?.path ?? [], set })]
}

/**
 * What was set of a listener goes with its address, also while two pools swap theirs: that is put back. After a crash
 * in between, only what the file declares is.
 */
function bringAbout(routing: Routing, listener: string, wish: Wish | undefined, outlook: Outlook): Step[] {
  const policy = routing.listeners.get(listener)
  if (wish === undefined ? !moves(listener, outlook) : wish.path.length === 0 && ends(listener, outlook)) return []
  const lost: ListenerChanges = policy === undefined ? {} : { ...policy.answers, declaration: policy.declaration }
  return [stepOf(wish ?? { listener, path: [], set: {} }, lost)]
}

function stepOf({ listener, path, set }: Wish, lost: ListenerChanges = {}): Step {
  return {
    effect: 'changed', path, subject: `listeners/${listener}`,
    decide: (now, request) => {
      const wanted = now.listeners.has(listener) ? set : { ...lost, ...set }
      return decideChangeListener(now, { ...request, listener, set: wanted })
    },
  }
}

function obstaclesOf(routing: Routing, listener: string, outlook: Outlook): ListenerCase[] {
  const answers = routing.listeners.get(listener)?.answers ?? {}
  return listenerCases.filter((what) => {
    const answer = answers[what]
    if (answer === undefined || answer === 'refuse') return false
    // What names its own pool goes together with that, or with the address.
    if (answer.pool === ownPoolOf(listener) && ends(listener, outlook)) return false
    return outlook.removed.has(answer.pool) || (what === 'not_tls' && losesPlaintext(routing, answer.pool, outlook))
  })
}

/** Now, and for as long as the pools are being changed. */
function isPossible(routing: Routing, what: ListenerCase, answer: ListenerAnswer | undefined, outlook: Outlook): boolean {
  if (answer === undefined || answer === null || answer === 'refuse') return true
  const pool = routing.pools.get(answer.pool)
  if (pool === undefined || outlook.removed.has(pool.name)) return false
  return what !== 'not_tls' || (pool.allowPlaintext && !losesPlaintext(routing, pool.name, outlook))
}

function losesPlaintext(routing: Routing, pool: string, { changes }: Outlook): boolean {
  return routing.pools.get(pool)?.allowPlaintext === true && changes.get(pool)?.allowPlaintext === false
}

/** The pool goes, or its address: the listener is no more. */
function ends(listener: string, { changes, removed }: Outlook): boolean {
  const pool = ownPoolOf(listener)
  return pool !== null && (removed.has(pool) || changes.get(pool)?.listen === null)
}

/** To another address. */
function moves(listener: string, { changes }: Outlook): boolean {
  const pool = ownPoolOf(listener)
  return pool !== null && (changes.get(pool)?.listen ?? null) !== null
}
