import fc from 'fast-check'
import { AccessGranted } from '../../events/access.ts'
import { BackendAdded, BackendChanged, BackendDrained, BackendRemoved, BackendResumed } from '../../events/backend.ts'
import { zeroHash } from '../../events/chain.ts'
import { ConfigApplied } from '../../events/config.ts'
import { ConnectionClosed, ConnectionOpened, ConnectionProgress, ConnectionRefused } from '../../events/connection.ts'
import type { EventDefinition, Stream } from '../../events/define.ts'
import { HealthAddressesChanged, HealthChanged, HealthDrainCompleted } from '../../events/health.ts'
import { ListenerBound, ListenerChanged } from '../../events/listener.ts'
import { NodeLost, NodeReported, NodeRetired, NodeStarted, NodeStopped } from '../../events/node.ts'
import { PoolChanged, PoolCreated, PoolRemoved } from '../../events/pool.ts'
import { exampleActor, exampleChange, exampleOrigin, listenerCases } from '../../events/values.ts'
import { exampleEpoch, exampleTime, RecordChain, type MadeRecord, type Overrides } from './records.ts'

/** Arbitrary logs over a small world, so that records often concern each other: few pools, backends, names and nodes. */

export interface Move {
  readonly definition: EventDefinition
  readonly data: object
  readonly node: string
  readonly run: string
  /** How many changes late the writer of a change was, and whether it guessed the revision right all the same. */
  readonly late: number
  readonly rightRevision: boolean
}

const nodes = ['node-1', 'node-2']
const ids = ['01', '02', '03'].map((end) => `0198c0de-0000-7000-8000-0000000000${end}`)
const runs = ['0a', '0b', '0c'].map((end) => `0198c0de-0000-7000-8000-0000000000${end}`)
const pools = ['a', 'b', 'c']
const backends = [1, 2].map((port) => ({ host: '10.0.0.1', id: `10.0.0.1:${port}`, port }))
const serverNames = ['x.example', 'y.example', '*.x.example', '*.y.example', '**.x.example', '**.example']

const pool = fc.constantFrom(...pools)
const nodeName = fc.constantFrom(...nodes)
const id = fc.constantFrom(...ids)
const count = fc.nat(1_000)
const weight = fc.integer({ min: 1, max: 9 })
const why = { actor: exampleActor, change: exampleChange, origin: exampleOrigin }
const file = '/etc/waybill.yaml'
const idempotency = fc.option(fc.record({ digest: fc.constant('x'.repeat(43) + '='), key: fc.constantFrom('k1', 'k2') }))
const declaration = fc.option(fc.constantFrom({ fields: ['algorithm'], file }, { fields: [], file: '/etc/other.yaml' }))
const drainTimeout = fc.option(fc.constantFrom(0, 60_000))
const names = fc.uniqueArray(fc.constantFrom(...serverNames), { maxLength: 3 })
const listen = fc.constantFrom(null, '[::]:9443')
const minTlsVersion = fc.constantFrom(null, 'TLSv1.2', 'TLSv1.3')
const listenerAnswer = fc.oneof(fc.constantFrom(null, 'refuse'), pool.map((each) => ({ pool: each })))

type Fact = fc.Arbitrary<{ readonly definition: EventDefinition; readonly data: object }>

function fact(definition: EventDefinition, data: fc.Arbitrary<object>): Fact {
  return data.map((each) => ({ definition, data: sorted(each) }))
}

/** Keys in code-unit order, as records have them. */
function sorted(data: object): object {
  return Object.fromEntries(Object.entries(data).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

const ofBackend = fc
  .record({ idempotency, id: fc.constantFrom(...backends.map((each) => each.id)), pool })
  .map((each) => ({ ...why, ...each }))
const leavingBackend = fc.tuple(ofBackend, fc.boolean()).map(([each, force]) => ({ ...each, force }))

const changes: readonly Fact[] = [
  fact(
    PoolCreated,
    fc.record({
      algorithm: fc.constantFrom('least_connections', 'round_robin'),
      allow_plaintext: fc.boolean(),
      backends: fc.subarray(backends).map((some) => some.map((each) => sorted({ ...each, declaration: null, weight: 1 }))),
      business_need: fc.constantFrom(null, 'cards'),
      declaration,
      default_route: fc.boolean(),
      drain_timeout: drainTimeout,
      health_check_interval: fc.constant(10_000),
      idempotency,
      listen,
      min_tls_version: minTlsVersion,
      name: pool,
      reject_ech: fc.boolean(),
      server_names: names,
    }).map((each) => ({ ...why, ...each, default_route_reason: null, owner: null, ssl_mode: 'passthrough' })),
  ),
  fact(
    PoolChanged,
    fc.record({
      idempotency,
      name: pool,
      set: fc.record(
        {
          algorithm: fc.constant('random'),
          allow_plaintext: fc.boolean(),
          business_need: fc.constantFrom(null, 'health records'),
          declaration,
          default_route: fc.boolean(),
          drain_timeout: drainTimeout,
          health_check_interval: fc.integer({ min: 100, max: 200 }),
          listen,
          min_tls_version: minTlsVersion,
          owner: fc.constantFrom(null, 'ada'),
          reject_ech: fc.boolean(),
          server_names: names,
        },
        { requiredKeys: [] },
      ).map(sorted),
    }).map((each) => ({ ...why, ...each })),
  ),
  fact(PoolRemoved, fc.record({ force: fc.boolean(), idempotency, name: pool }).map((each) => ({ ...why, ...each }))),
  fact(BackendAdded, fc.record({ backend: fc.constantFrom(...backends), declaration, idempotency, pool, weight }).map(({ backend, ...each }) => ({ ...why, ...backend, ...each }))),
  fact(BackendChanged, fc.tuple(ofBackend, fc.record({ declaration, weight }, { requiredKeys: [] })).map(([each, set]) => ({ ...each, set: sorted(set) }))),
  fact(BackendDrained, leavingBackend),
  fact(BackendResumed, ofBackend),
  fact(BackendRemoved, leavingBackend),
  fact(
    ListenerChanged,
    fc.record({
      idempotency,
      listener: fc.constantFrom('shared', ...pools.map((each) => `pools/${each}`)),
      set: fc
        .record({ declaration, ...Object.fromEntries(listenerCases.map((what) => [what, listenerAnswer])) }, { requiredKeys: [] })
        .map(sorted),
    }).map((each) => ({ ...why, ...each })),
  ),
  fact(
    ConfigApplied,
    fc.record({ file: fc.constantFrom(file, '/etc/other.yaml'), idempotency }).map((each) => ({ ...ConfigApplied.examples[0], ...each })),
  ),
]

const [openedExample] = ConnectionOpened.examples
const [progressExample] = ConnectionProgress.examples
const [closedExample] = ConnectionClosed.examples
const [refusedExample] = ConnectionRefused.examples
const backendId = fc.constantFrom(...backends.map((each) => each.id))
const attempts = fc.array(backendId.map((backend) => ({ backend, code: 'ECONNREFUSED', ip: null, ms: 1 })), { maxLength: 2 })

const connections: readonly Fact[] = [
  fact(ConnectionOpened, fc.record({ attempts, backend: backendId, connection_id: id, pool }).map((each) => ({ ...openedExample, ...each }))),
  fact(
    ConnectionProgress,
    fc.record({ bytes_to_backend: count, bytes_to_client: count, connection_id: id }).map((each) => ({ ...progressExample, ...each })),
  ),
  fact(
    ConnectionClosed,
    fc.record({ backend: backendId, bytes_to_backend: count, bytes_to_client: count, connection_id: id, pool })
      .map((each) => ({ ...closedExample, ...each })),
  ),
  fact(
    ConnectionRefused,
    fc.record({ attempts, because: fc.constantFrom('unknown_sni', 'not_tls', 'other'), count: fc.integer({ min: 1, max: 9 }), pool: fc.option(pool) })
      .map((each) => ({ ...refusedExample, ...each })),
  ),
]

const operations: readonly Fact[] = [
  fact(HealthChanged, fc.record({ backend: backendId, pool, to: fc.constantFrom('down', 'up') }).map((each) => ({ ...HealthChanged.examples[0], ...each }))),
  fact(HealthDrainCompleted, fc.record({ backend: backendId, pool }).map((each) => ({ ...HealthDrainCompleted.examples[0], ...each }))),
  fact(HealthAddressesChanged, fc.constantFrom('10.0.0.1', 'db.internal').map((host) => ({ ...HealthAddressesChanged.examples[0], host }))),
  fact(ListenerBound, pool.map((each) => ({ ...ListenerBound.examples[0], listener: `pools/${each}`, pool: each }))),
  fact(AccessGranted, fc.constantFrom('loopback', 'socket').map((actor) => ({ ...AccessGranted.examples[0], actor: { ...exampleActor, id: actor } }))),
  fact(NodeStarted, fc.constant(NodeStarted.examples[0])),
  fact(NodeStopped, fc.constant(NodeStopped.examples[0])),
  fact(NodeLost, fc.record({ node: nodeName, run: fc.constantFrom(...runs) }).map((each) => ({ connections_closed: 0, epoch: exampleEpoch, ...each }))),
  fact(
    NodeReported,
    fc.record({ pools: fc.uniqueArray(pool, { maxLength: 3 }), opened: count }).map(({ opened, pools: names }) => {
      const [example] = NodeReported.examples
      return { ...example, pools: names.map((name) => ({ ...example.pools[0], opened, pool: name })) }
    }),
  ),
  fact(NodeRetired, nodeName.map((node) => ({ ...NodeRetired.examples[0], node }))),
]

const facts: Readonly<Record<Stream, readonly Fact[]>> = { control: changes, connections, operations }

/** Everything of one stream that the projections know, in any order, by several nodes at once. */
export function movesOf(stream: Stream, maxLength = 25): fc.Arbitrary<Move[]> {
  const move = fc
    .record({
      fact: fc.oneof(...facts[stream]),
      node: fc.constantFrom(...nodes),
      run: fc.constantFrom(...runs),
      late: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
      rightRevision: fc.boolean(),
    })
    .map(({ fact: { definition, data }, ...rest }) => ({ definition, data, ...rest }))
  return fc.array(move, { maxLength })
}

/** The records of the moves, as they would come from one topic, all of one time unless `timeOf` says it by their index. */
export function recordsOf(stream: Stream, moves: readonly Move[], timeOf: (index: number) => string = () => exampleTime): MadeRecord[] {
  const chains = new Map(nodes.map((node) => [node, new RecordChain(stream, { node })]))
  const bases = [zeroHash]
  return moves.map(({ definition, data, node, run, late, rightRevision }, index) => {
    const chain = chains.get(node)!
    const overrides: Overrides = { run, time: timeOf(index), ...(definition.changes ? place(bases, late, rightRevision) : {}) }
    const record = chain.make(definition, data, overrides)
    if (definition.changes && late === 0) bases.push(record.leafHash)
    return record
  })
}

function place(bases: readonly string[], late: number, rightRevision: boolean): { revision: number; basis: string } {
  const at = bases.length - 1 - late
  // Before the first change there is nothing older: a revision too far is void as well.
  if (at < 0) return { revision: bases.length + late, basis: bases.at(-1)! }
  return { revision: rightRevision ? bases.length : at + 1, basis: bases[at]! }
}
