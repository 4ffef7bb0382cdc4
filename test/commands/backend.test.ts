import { describe, expect, test } from 'vitest'
import { decideAddBackend } from '../../src/commands/backend.ts'
import { backendsPerPoolMax } from '../../src/commands/bounds.ts'
import { decideCreatePool } from '../../src/commands/pool.ts'
import { given, stamp } from './decide.ts'

const pool = {
  name: 'secure-app', algorithm: 'least_connections', businessNeed: null, defaultRoute: null, healthCheckIntervalMs: 10_000,
  listen: null, managedBy: 'api', owner: null, serverNames: [],
} as const
const backend = { pool: 'secure-app', url: 'https://Backend1.internal:8443', weight: 3 }
const refusal = (code: string, field?: string) => ({
  refusal: expect.objectContaining(field === undefined ? { code } : { code, field }),
})

describe('adding a backend', () => {
  test('records the address in its canonical form', () => {
    expect(given().and(decideCreatePool, pool).when(decideAddBackend, backend)).toEqual({
      record: {
        id: stamp.id,
        time: stamp.time,
        type: 'dev.waybill.backend.added.v1',
        subject: 'backends/secure-app/backend1.internal:8443',
        partitionkey: 'control',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' },
          change: { approved_by: null, reason: null, requested_by: null, ticket: null },
          host: 'backend1.internal',
          id: 'backend1.internal:8443',
          idempotency_key: null,
          origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
          pool: 'secure-app',
          port: 8443,
          weight: 3,
        },
      },
    })
  })

  test('takes effect in the fold, under the pool', () => {
    const { state } = given().and(decideCreatePool, pool).and(decideAddBackend, { ...backend, url: 'https://[::0:1]' })
    expect(state.revision).toBe(2)
    expect(state.pools.get('secure-app')).toMatchObject({ revision: 2 })
    expect([...state.pools.get('secure-app')!.backends.keys()]).toEqual(['[::1]:443'])
  })

  test('a URL that is none is refused before the pool is looked for', () => {
    expect(given().when(decideAddBackend, { ...backend, url: 'http://a' })).toEqual(refusal('backend_url_invalid', 'url'))
  })
  test('a pool that is not there', () => {
    expect(given().when(decideAddBackend, backend)).toEqual(refusal('pool_unknown'))
  })
  test('the same backend twice, however it is written', () => {
    const before = given().and(decideCreatePool, pool).and(decideAddBackend, backend)
    const again = { ...backend, url: 'https://BACKEND1.internal:08443' }
    expect(before.when(decideAddBackend, again)).toEqual(refusal('backend_exists', 'url'))
  })
  test('as many backends as a pool may have', () => {
    let before = given().and(decideCreatePool, pool)
    for (let port = 1; port <= backendsPerPoolMax; port += 1) {
      before = before.and(decideAddBackend, { ...backend, url: `https://a:${port}` })
    }
    expect(before.when(decideAddBackend, backend)).toEqual(refusal('too_many_backends'))
  })
  test('only on the revision that the caller has seen', () => {
    const before = given().and(decideCreatePool, pool).and(decideAddBackend, backend)
    const other = { ...backend, url: 'https://other' }
    expect(before.when(decideAddBackend, { ...other, ifMatch: 1 })).toEqual(refusal('revision_mismatch'))
    expect(before.when(decideAddBackend, { ...other, ifMatch: 2 })).toHaveProperty('record')
  })
})
