import { ConnectionClosed, ConnectionOpened } from '../../events/connection.ts'
import { streams, type EventDefinition } from '../../events/define.ts'
import { ListenerChanged } from '../../events/listener.ts'
import { PoolCreated } from '../../events/pool.ts'
import { fold } from '../../projections/projection.ts'
import { trailDocument, type TrailDocument } from '../../projections/trail-document.ts'
import type { TrailSubject } from '../../projections/trail-subject.ts'
import { trailOf } from '../../projections/trail.ts'
import { RecordChain, recorded, type Overrides } from './records.ts'

/** Short histories, and the trails that they leave. */

export const backendId = '10.0.0.1:8443'
export const connectionId = '0198c0de-0000-7000-8000-0000000000c1'

export type Given = readonly [EventDefinition, object, Overrides?]

/** The trail after these records, each with the example's data but for what is given. */
export function trail(about: TrailSubject, ...history: Given[]): TrailDocument {
  const chains = new Map(streams.map((stream) => [stream, new RecordChain(stream)]))
  const records = history.map(([definition, data, overrides]) =>
    recorded(chains.get(definition.stream)!.make(definition, { ...(definition.examples[0] as object), ...data }, overrides)),
  )
  return trailDocument(fold(trailOf(about), records))
}

export const told = ({ entries }: TrailDocument): (readonly [string, string])[] =>
  entries.map(({ outcome, type }) => [type.replace(/^dev\.waybill\.|\.v1$/g, ''), outcome] as const)

export const created = (name: string, backends: object[] = [], fields: object = {}): Given => [PoolCreated, { name, backends, default_route: false, ...fields }]
export const opened = (fields: object): Given => [ConnectionOpened, { attempts: [], backend: backendId, connection_id: connectionId, pool: 'app', ...fields }]
export const closed = (fields: object): Given => [ConnectionClosed, { backend: backendId, connection_id: connectionId, pool: 'app', ...fields }]
export const turned = (set: object, listener = 'shared'): Given => [ListenerChanged, { listener, set }]
export const attempt = (id: string, code = 'ECONNREFUSED') => ({ backend: id, code, ip: null, ms: 1 })
