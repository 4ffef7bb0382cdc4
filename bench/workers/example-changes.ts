import { BackendChanged, BackendDrained, BackendResumed } from '../../events/backend.ts'
import { leafHash, zeroHash } from '../../events/chain.ts'
import { encodeDraft, placeDraft, sourceOf, type Draft } from '../../events/envelope.ts'
import { PoolCreated } from '../../events/pool.ts'
import { rfc3339 } from '../../src/core/clock.ts'
import type { MakeId } from '../../src/core/ids.ts'
import type { NodeWriter } from '../../src/log/node-log.ts'

/** Control records as years of operation leave them: pools are made, then their backends change again and again. */

const backendsPerPool = 4
const recordsPerBatch = 1_000
const startMs = Date.UTC(2025, 0, 6, 8)
const minuteMs = 60_000

/** All effective, a minute apart; for a control stream that is empty. */
export function* exampleChanges(records: number, pools: number, writer: NodeWriter, makeId: MakeId): Generator<[Draft, ...Draft[]]> {
  const source = sourceOf(writer.cluster, writer.node, writer.epoch, 'control')
  let basis = zeroHash
  let batch: Draft[] = []
  for (let index = 0; index < records; index += 1) {
    const draft: Draft = {
      ...(index < pools ? created(index) : changed(index, pools)),
      basis,
      id: makeId(),
      partitionkey: 'control',
      revision: index + 1,
      time: rfc3339(startMs + index * minuteMs),
    }
    // What the log will make of it: a change names the hash of the one before, also within a batch.
    basis = leafHash(placeDraft(encodeDraft(draft, { source, run: writer.run }), index, basis))
    batch.push(draft)
    if (batch.length < recordsPerBatch && index < records - 1) continue
    yield batch as [Draft, ...Draft[]]
    batch = []
  }
}

type Facts = Pick<Draft, 'data' | 'subject' | 'type'>

function created(index: number): Facts {
  const name = poolName(index)
  const backends = Array.from({ length: backendsPerPool }, (_, at) => {
    const host = backendHost(name, at)
    return { declaration: null, host, id: `${host}:8443`, port: 8_443, weight: 1 }
  })
  const data = { ...PoolCreated.examples[0], backends, default_route: false, default_route_reason: null, name, server_names: [`${name}.example.com`] }
  return { data, subject: `pools/${name}`, type: PoolCreated.type }
}

function changed(index: number, pools: number): Facts {
  const pool = poolName((index * 7) % pools)
  const id = `${backendHost(pool, index % backendsPerPool)}:8443`
  const subject = `backends/${pool}/${id}`
  if (index % 10 === 0) return { data: { ...BackendDrained.examples[0], id, pool }, subject, type: BackendDrained.type }
  if (index % 10 === 4) return { data: { ...BackendResumed.examples[0], id, pool }, subject, type: BackendResumed.type }
  return { data: { ...BackendChanged.examples[0], id, pool, set: { weight: 1 + (index % 100) } }, subject, type: BackendChanged.type }
}

function poolName(index: number): string {
  return `pool-${String(index).padStart(4, '0')}`
}

function backendHost(pool: string, index: number): string {
  return `${pool}-${index}.internal`
}
