import { nodeOf } from '../events/envelope.ts'
import type { Projection } from './projection.ts'

/** The last process life of each node, and whether it ended in order: what a start has to say about its predecessor. */
export interface Run {
  readonly run: string
  readonly startedAt: string
  /** How it ended; null while it runs, or when it ended without a word. */
  readonly ended: 'lost' | 'stopped' | null
}

export type Runs = ReadonlyMap<string, Run>

export const runs: Projection<
  Runs,
  'dev.waybill.node.started.v1' | 'dev.waybill.node.stopped.v1' | 'dev.waybill.node.lost.v1'
> = {
  name: 'runs',
  version: 2,
  initial: () => new Map(),
  on: {
    'dev.waybill.node.started.v1': (state, { event }) =>
      new Map(state).set(nodeOf(event.source), { run: event.run, startedAt: event.time, ended: null }),
    'dev.waybill.node.stopped.v1': (state, { event }) => ended(state, nodeOf(event.source), event.run, 'stopped'),
    'dev.waybill.node.lost.v1': (state, { event }) => ended(state, event.data.node, event.data.run, 'lost'),
  },
}

function ended(state: Runs, node: string, run: string, how: 'lost' | 'stopped'): Runs {
  const known = state.get(node)
  return known?.run === run ? new Map(state).set(node, { ...known, ended: how }) : state
}
