import { streams, type Stream } from '../../events/define.ts'
import { health } from '../../projections/health.ts'
import { idempotency } from '../../projections/idempotency.ts'
import { openConnections } from '../../projections/open-connections.ts'
import { apply, type EventType, type Projection, type Recorded } from '../../projections/projection.ts'
import { routing } from '../../projections/routing.ts'
import { runs } from '../../projections/runs.ts'
import { traffic, type Totals, type Traffic } from '../../projections/traffic.ts'

/**
 * Every fold that is kept live, in one table: a fold added here is replayed, followed and snapshotted. Each belongs to
 * one stream, so that its state is a matter of that stream's position alone.
 */

interface Fold<State> {
  readonly stream: Stream
  /** Of the projection and its version: a snapshot with another one is not used. */
  readonly version: string
  readonly initial: () => State
  readonly apply: (state: State, recorded: Recorded) => State
  /** The state as it is now, for writing it down while the fold goes on: must be quick, and share nothing that changes. */
  readonly hold: (state: State) => State
}

export const folds = {
  routing: fold('control', routing),
  idempotency: fold('control', idempotency, (state) => ({ ...state, answered: new Map(state.answered) })),
  openConnections: fold('connections', openConnections, (state) => new Map(state)),
  traffic: fold('connections', traffic, heldTraffic),
  health: fold('operations', health, (state) => new Map(state)),
  runs: fold('operations', runs),
} as const

export type FoldName = keyof typeof folds
export type States = { -readonly [Name in FoldName]: ReturnType<(typeof folds)[Name]['initial']> }

export const foldNames = Object.keys(folds) as readonly FoldName[]

const namesOf = Object.fromEntries(
  streams.map((stream) => [stream, foldNames.filter((name) => folds[name].stream === stream)]),
) as unknown as Readonly<Record<Stream, readonly FoldName[]>>

export function initialStates(): States {
  return Object.fromEntries(foldNames.map((name) => [name, folds[name].initial()])) as States
}

/** One record through every fold of its stream. */
export function foldInto(states: States, stream: Stream, recorded: Recorded): void {
  for (const name of namesOf[stream]) step(states, name, recorded)
}

/** All states as they are now: later records change nothing in them. */
export function heldStates(states: States): States {
  return Object.fromEntries(foldNames.map((name) => [name, (folds[name] as AnyFold).hold(states[name])])) as States
}

/** A state that is copied on write needs no `hold`. */
function fold<State, Type extends EventType>(
  stream: Stream,
  projection: Projection<State, Type>,
  hold: (state: State) => State = (state) => state,
): Fold<State> {
  return {
    stream,
    version: `${projection.name}@${projection.version}`,
    initial: projection.initial,
    apply: (state, recorded) => apply(projection, state, recorded),
    hold,
  }
}

/** Which state belongs to which fold is in the names; the compiler can't follow that through a loop. */
type AnyFold = Fold<unknown>

function step(states: Record<FoldName, unknown>, name: FoldName, recorded: Recorded): void {
  states[name] = (folds[name] as AnyFold).apply(states[name], recorded)
}

function heldTraffic({ pools, refused, since }: Traffic): Traffic {
  const copies = new Map([...pools].map(([name, pool]) => [name, { ...pool, backends: copiesOf(pool.backends) }]))
  return { pools: copies, refused: new Map(refused), since }
}

function copiesOf<Counted extends Totals>(totals: ReadonlyMap<string, Counted>): Map<string, Counted> {
  const copies = new Map<string, Counted>()
  for (const [key, each] of totals) copies.set(key, { ...each })
  return copies
}
