import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listenerCases } from '../../events/values.ts'
import { configurationOf, differencesBetween, type Configuration, type Difference } from '../../projections/configuration.ts'
import { fold } from '../../projections/projection.ts'
import { routing } from '../../projections/routing.ts'
import { decideAddBackend, decideChangeBackend, decideDrainBackend } from '../../src/commands/backend.ts'
import { decideChangeListener } from '../../src/commands/change-listener.ts'
import { decideChangePool, decideRemovePool } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { given, stamp, type Given } from '../commands/decide.ts'
import { appBackend, backend, declaredIn, fileA, givenApp, inline, named, pool } from '../commands/wishes.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { recorded } from '../support/records.ts'

const of = ({ state }: Given): Configuration => configurationOf(state)
const between = (one: Given, other: Given): readonly Difference[] => differencesBetween(of(one), of(other))

const refuseAll = Object.fromEntries(listenerCases.map((what) => [what, 'refuse']))

describe('the configuration as a document', () => {
  test('says all that a pool is, in the words of the API', () => {
    const app = givenApp({
      allowPlaintext: true, businessNeed: 'old devices', declaration: declaredIn(fileA, 'owner'), listen: 9443, minTlsVersion: 'TLSv1.2',
      owner: 'ada', rejectEch: true, serverNames: ['x.example', '*.y.example', '**.y.example'],
    })
    const changed = app
      .and(decideDrainBackend, { ...appBackend, force: false })
      .and(decideChangeListener, { listener: 'shared', set: { declaration: declaredIn(fileA, 'not_tls'), not_tls: { pool: 'app' } }, file: fileA })
    expect(of(changed)).toEqual({
      revision: 4,
      pools: [
        {
          name: 'app', algorithm: 'least_connections', allow_plaintext: true, business_need: 'old devices', created_at: stamp.time, default_route: false,
          drain_timeout: null, health_check_interval: 10_000, listen: '[::]:9443', managed_by: 'file', managed_by_file: fileA,
          min_tls_version: 'TLSv1.2', owner: 'ada', reject_ech: true, revision: 3,
          server_names: ['x.example', '*.y.example', '**.y.example'], ssl_mode: 'passthrough',
          backends: [
            {
              id: 'a:443', added_at: stamp.time, draining_since: stamp.time, host: 'a', managed_by: 'api', managed_by_file: null,
              port: 443, state: 'draining', weight: 3,
            },
          ],
        },
      ],
      routes: {
        default_route: null, server_names: { '**.y.example': 'app', '*.y.example': 'app', 'x.example': 'app' }, listen: { '[::]:9443': 'app' },
      },
      listeners: [
        {
          listener: 'shared', managed_by: 'file', managed_by_file: fileA, policy: { ...refuseAll, not_tls: { pool: 'app' } }, revision: 4,
          set: ['not_tls'],
        },
        {
          listener: 'pools/app', managed_by: 'api', managed_by_file: null, revision: 0, set: [],
          policy: { ...refuseAll, no_sni: { pool: 'app' }, unknown_sni: { pool: 'app' } },
        },
      ],
      declarations: [],
    })
  })

  test('is the same for the same configuration, in whatever order it was made', () => {
    const [one, two] = [named('one', { backends: [inline('a'), inline('b')] }), named('two', { listen: 9443 })]
    const [there, back] = [
      given().and(decideCreatePool, one).and(decideCreatePool, two),
      given().and(decideCreatePool, two).and(decideCreatePool, { ...one, backends: one.backends.toReversed() }),
    ]
    const bare = (each: Given) => JSON.stringify(of(each)).replaceAll(/"revision":\d+/g, '')
    expect(bare(there)).toBe(bare(back))
    expect(between(there, back)).toEqual([])
  })

  test('holds names that mean something to JavaScript like any other', () => {
    const odd = given().and(decideCreatePool, pool('constructor', { serverNames: ['__proto__', 'constructor', 'x.__proto__'] }))
    expect(JSON.stringify(of(odd).routes.server_names)).toBe('{"__proto__":"constructor","constructor":"constructor","x.__proto__":"constructor"}')
    expect(between(given(), odd)).toContainEqual(expect.objectContaining({ kind: 'added', subject: 'pools/constructor' }))
  })
})

describe('differences', () => {
  test('a field of a pool, with what it was and what it is', () => {
    const after = givenApp().and(decideChangePool, { name: 'app', set: { algorithm: 'random', owner: 'eve' } })
    expect(between(givenApp(), after)).toEqual([
      { kind: 'changed', subject: 'pools/app', field: 'algorithm', before: 'least_connections', after: 'random' },
      { kind: 'changed', subject: 'pools/app', field: 'owner', before: null, after: 'eve' },
    ])
  })

  test('a backend is an object of its own', () => {
    const after = givenApp().and(decideAddBackend, backend('app', 'b')).and(decideChangeBackend, { ...appBackend, set: { weight: 9 } })
    expect(between(givenApp(), after)).toEqual([
      { kind: 'changed', subject: 'backends/app/a:443', field: 'weight', before: 3, after: 9 },
      { kind: 'added', subject: 'backends/app/b:443', field: null, before: null, after: expect.objectContaining({ id: 'b:443', pool: 'app', weight: 1 }) },
    ])
  })

  test('a case of a listener, with what happened and what happens', () => {
    const set = { no_sni: { pool: 'app' }, sslv2: 'refuse', timeout: { pool: 'app' } } as const
    const after = givenApp().and(decideChangeListener, { listener: 'shared', set })
    expect(between(givenApp(), after)).toEqual([
      { kind: 'changed', subject: 'listeners/shared', field: 'no_sni', before: 'refuse', after: { pool: 'app' } },
      { kind: 'changed', subject: 'listeners/shared', field: 'timeout', before: 'refuse', after: { pool: 'app' } },
    ])
  })

  test('that a case is set to its default shows where nothing else would', () => {
    const after = givenApp().and(decideChangeListener, { listener: 'shared', set: { no_sni: 'refuse' } })
    expect(between(givenApp(), after)).toEqual([
      { kind: 'changed', subject: 'listeners/shared', field: 'set', before: [], after: ['no_sni'] },
    ])
    const declared = givenApp().and(decideChangeListener, { listener: 'shared', set: { declaration: declaredIn(fileA, 'no_sni'), no_sni: 'refuse' }, file: fileA })
    expect(between(givenApp(), declared).map(({ field }) => field)).toEqual(['managed_by', 'managed_by_file'])
  })

  test('a drain is a change of state', () => {
    const draining = givenApp().and(decideDrainBackend, { ...appBackend, force: false })
    expect(between(givenApp(), draining)).toEqual([
      { kind: 'changed', subject: 'backends/app/a:443', field: 'state', before: 'active', after: 'draining' },
    ])
  })

  test('a pool that goes takes its backends and routes along', () => {
    const gone = givenApp({ defaultRoute: true, listen: 9443 }).and(decideRemovePool, { name: 'app', force: false })
    expect(between(givenApp({ defaultRoute: true, listen: 9443 }), gone).map(({ kind, subject, field }) => [kind, subject, field])).toEqual([
      ['removed', 'pools/app', null],
      ['removed', 'backends/app/a:443', null],
      ['changed', 'routes', 'default_route'],
      ['changed', 'routes', 'server_names'],
      ['changed', 'routes', 'listen'],
      // What the default route and the address of its own came to.
      ['changed', 'listeners/shared', 'no_sni'],
      ['changed', 'listeners/shared', 'unknown_sni'],
      ['removed', 'listeners/pools/app', null],
    ])
  })
})

/** Any two configurations that a history leads to: the second one goes on from the first, or begins anew. */
const two = fc
  .tuple(movesOf('control'), movesOf('control'), fc.boolean())
  .map(([first, second, goesOn]): readonly [Configuration, Configuration] => {
    const moves = [first, goesOn ? [...first, ...second] : second] as const
    const [one, other] = moves.map((each) => configurationOf(fold(routing, recordsOf('control', each).map(recorded))))
    return [one!, other!]
  })

describe('of any two configurations', () => {
  test('there is no difference exactly when they are equal but for when and how often they were changed', () => {
    const seen = { equal: 0, different: 0 }
    fc.assert(
      fc.property(two, ([one, other]) => {
        const equal = JSON.stringify(withoutBookkeeping(one)) === JSON.stringify(withoutBookkeeping(other))
        seen[equal ? 'equal' : 'different'] += 1
        expect(differencesBetween(one, other).length === 0).toBe(equal)
        expect(differencesBetween(one, structuredClone(one))).toEqual([])
      }),
      { numRuns: 500 },
    )
    expect(seen.different).toBeGreaterThan(50)
    expect(seen.equal).toBeGreaterThan(5)
  })

  test('the way back has the same differences, turned round', () => {
    fc.assert(
      fc.property(two, ([one, other]) => {
        expect(keyed(differencesBetween(other, one))).toEqual(keyed(differencesBetween(one, other).map(turned)))
      }),
      { numRuns: 300 },
    )
  })

  test('each difference says what is there before and after', () => {
    fc.assert(
      fc.property(two, ([one, other]) => {
        const differences = differencesBetween(one, other)
        for (const { kind, subject, field, before, after } of differences) {
          const [was, is] = [one, other].map((each) => objectAt(each, subject))
          expect([was === undefined, is === undefined], subject).toEqual([kind === 'added', kind === 'removed'])
          if (field === null) expect([before, after]).toEqual([was ?? null, is ?? null])
          else expect([before, after]).toEqual([valueIn(was!, field), valueIn(is!, field)])
          expect(before).not.toEqual(after)
        }
        expect(new Set(differences.map(({ subject, field }) => `${subject} ${field}`)).size).toBe(differences.length)
      }),
      { numRuns: 300 },
    )
  })
})

function turned({ kind, before, after, ...rest }: Difference): Difference {
  const kinds = { added: 'removed', changed: 'changed', removed: 'added' } as const
  return { ...rest, kind: kinds[kind], before: after, after: before }
}

/** Their order is that of the later configuration, so it is not compared. */
function keyed(differences: readonly Difference[]): Map<string, Difference> {
  return new Map(differences.map((each) => [`${each.subject} ${each.field}`, each]))
}

function objectAt(configuration: Configuration, subject: string): Record<string, unknown> | undefined {
  const objects: Record<string, object> = { routes: configuration.routes }
  for (const each of configuration.pools) {
    objects[`pools/${each.name}`] = each
    for (const one of each.backends) objects[`backends/${each.name}/${one.id}`] = { ...one, pool: each.name }
  }
  for (const each of configuration.listeners) objects[`listeners/${each.listener}`] = each
  for (const each of configuration.declarations) objects[`files/${each.file}`] = each
  return objects[subject] as Record<string, unknown> | undefined
}

/** The cases of a listener's policy are fields of their own. */
function valueIn(object: Record<string, unknown>, field: string): unknown {
  return (listenerCases as readonly string[]).includes(field) ? (object['policy'] as Record<string, unknown>)[field] : object[field]
}

function withoutBookkeeping(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutBookkeeping)
  if (typeof value !== 'object' || value === null) return value
  const names = new Set(['applied_at', 'added_at', 'created_at', 'draining_since', 'revision'])
  return Object.fromEntries(Object.entries(value).filter(([key]) => !names.has(key)).map(([key, inner]) => [key, withoutBookkeeping(inner)]))
}
