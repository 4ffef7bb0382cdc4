import type { WaybillEvent } from '../events/catalog.ts'

/** What folds receive: the event, and the leaf hash of its exact bytes. */
export interface Recorded<Event = WaybillEvent> {
  readonly event: Event
  readonly leafHash: string
}

export type EventType = WaybillEvent['type']
export type EventOfType<Type extends EventType> = Extract<WaybillEvent, { type: Type }>
export type Step<State, Type extends EventType> = (state: State, recorded: Recorded<EventOfType<Type>>) => State

/**
 * A fold over the log. Pure: no clock, no I/O, no randomness, so a replay gives the same answer. The keys of `on` are
 * the list of what it handles. Unless its header says that the state is an owned accumulator, a step copies on write.
 */
export interface Projection<State, Type extends EventType = EventType> {
  readonly name: string
  readonly version: number
  readonly initial: () => State
  readonly on: { readonly [T in Type]: Step<State, T> }
}

/** One record through one projection; types that it does not handle leave the state as it is. */
export function apply<State, Type extends EventType>(
  projection: Projection<State, Type>,
  state: State,
  recorded: Recorded,
): State {
  const step = (projection.on as Partial<Record<EventType, Step<State, EventType>>>)[recorded.event.type]
  return step === undefined ? state : step(state, recorded)
}

export function fold<State, Type extends EventType>(
  projection: Projection<State, Type>,
  records: Iterable<Recorded>,
  from: State = projection.initial(),
): State {
  let state = from
  for (const recorded of records) state = apply(projection, state, recorded)
  return state
}
