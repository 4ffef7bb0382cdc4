import { describe, expect, test } from 'vitest'
import { BackendAdded } from '../../events/backend.ts'
import type { EventDefinition } from '../../events/define.ts'
import { ListenerChanged } from '../../events/listener.ts'
import { PoolChanged, PoolCreated, PoolRemoved } from '../../events/pool.ts'
import { answerIn, namedBy } from '../../projections/listeners.ts'
import { fold } from '../../projections/projection.ts'
import { routing, type Routing } from '../../projections/routing.ts'
import { RecordChain, recorded } from '../support/records.ts'

/** What listeners do with clients whose hello leads to no pool, as the fold has it. */

type Given = readonly [EventDefinition, object]

function given(...history: Given[]): Routing {
  const chain = new RecordChain('control')
  return fold(routing, history.map(([definition, data]) => recorded(chain.make(definition, data))))
}

const [example] = PoolCreated.examples
const created = (name: string, fields: object = {}): Given => [
  PoolCreated, { ...example, backends: [], default_route: false, default_route_reason: null, name, ...fields },
]
const changed = (name: string, set: object): Given => [PoolChanged, { ...PoolChanged.examples[0], name, set }]
const removed = (name: string): Given => [PoolRemoved, { ...PoolRemoved.examples[0], name }]
const added = (pool: string): Given => [BackendAdded, { ...BackendAdded.examples[0], pool }]
const declaration = { fields: ['no_sni'], file: '/etc/waybill.yaml' }

describe('listener.changed', () => {
  const set = (listener: string, answers: object): Given => [ListenerChanged, { ...ListenerChanged.examples[0], listener, set: answers }]
  const own = created('app', { listen: '[::]:9443' })
  const legacy = { pool: 'legacy' }

  test('sets what `set` names, null gives it back, the rest stays', () => {
    const { listeners } = given(set('shared', { declaration, no_sni: legacy, timeout: 'refuse' }), set('shared', { no_sni: null, sslv2: legacy }))
    expect(listeners).toEqual(new Map([['shared', { answers: { sslv2: legacy, timeout: 'refuse' }, declaration, revision: 2 }]]))
  })

  test('of a listener that is not there changes nothing but the revision', () => {
    const early = set('pools/app', { no_sni: 'refuse' })
    expect(given(early, created('app'), early, changed('app', { listen: '[::]:1' }))).toMatchObject({ revision: 4, listeners: new Map() })
  })

  test('of a pool goes with its address, and not with another one', () => {
    const before = [own, set('pools/app', { no_sni: 'refuse' }), set('shared', { no_sni: 'refuse' })]
    const left = (...more: Given[]) => [...given(...before, ...more).listeners.keys()]
    expect(left(changed('app', { listen: '[::]:1' }), added('app'))).toEqual(['pools/app', 'shared'])
    expect(left(changed('app', { listen: null }))).toEqual(['shared'])
    expect(left(changed('app', { listen: null }), changed('app', { listen: '[::]:9443' }))).toEqual(['shared'])
    expect(left(removed('app'), own)).toEqual(['shared'])
  })

  test('what happens follows from what is set, the default route, and whose listener it is', () => {
    const state = given(own, created('fallback', { default_route: true }), set('shared', { unknown_sni: 'refuse', not_tls: legacy }))
    const answers = [null, 'app'].flatMap((pool) => (['no_sni', 'unknown_sni', 'not_tls', 'malformed'] as const).map((what) => answerIn(state, pool, what)))
    expect(answers).toEqual([
      { pool: 'fallback', because: 'default_route' }, { pool: null, because: 'set' }, { pool: 'legacy', because: 'set' },
      { pool: null, because: 'default' },
      { pool: 'app', because: 'listener' }, { pool: 'app', because: 'listener' }, { pool: null, because: 'default' },
      { pool: null, because: 'default' },
    ])
  })

  test('where a pool is named is told listener by listener, its own included', () => {
    const state = given(own, set('shared', { no_sni: { pool: 'app' }, timeout: legacy }), set('pools/app', { sslv2: { pool: 'app' }, no_sni: 'refuse' }))
    expect([...namedBy(state, 'app')]).toEqual([{ listener: 'shared', case: 'no_sni' }, { listener: 'pools/app', case: 'sslv2' }])
    expect([...namedBy(state, 'nobody')]).toEqual([])
  })
})
