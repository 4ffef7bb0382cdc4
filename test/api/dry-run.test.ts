import { expect, test } from 'vitest'
import type { Draft } from '../../events/envelope.ts'
import { settled } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

/** Trying a change out: what would be different, which open connections it concerns, the same refusals, and no record. */

const id = '10.0.0.1:8443'
const backend = `/api/pools/a/backends/${id}`

/** Two pools that share an address, with 4 connections open there by way of `a` and 8 by way of `b`. */
async function withPools(): Promise<Harness> {
  const api = await harness()
  for (const name of ['a', 'b']) {
    await api.post('/api/pools', { name, server_names: [`${name}.example`], backends: [{ url: `https://${id}` }, { url: 'https://10.0.0.2' }] })
  }
  api.open.set(`a ${id}`, { connections: 4, bytesToBackend: 0, bytesToClient: 0 })
  api.open.set(`b ${id}`, { connections: 8, bytesToBackend: 0, bytesToClient: 0 })
  return api
}

type Row = readonly [what: string, method: 'DELETE' | 'PATCH' | 'POST', path: string, body: object | undefined, open: number, ends: number]

const rows: readonly Row[] = [
  ['a new pool', 'POST', '/api/pools', { name: 'c', backends: [{ url: 'https://x' }] }, 0, 0],
  ['a new backend', 'POST', '/api/pools/a/backends', { url: 'https://x' }, 0, 0],
  ['an owner', 'PATCH', '/api/pools/a', { owner: 'x' }, 0, 0],
  ['a weight', 'PATCH', backend, { weight: 9 }, 0, 0],
  ['a drain', 'POST', `${backend}/drain`, undefined, 4, 0],
  ['a forced drain', 'POST', `${backend}/drain`, { force: true }, 4, 4],
  ['the end of a backend', 'DELETE', backend, undefined, 4, 0],
  ['the forced end of a backend', 'DELETE', `${backend}?force=true`, undefined, 4, 4],
  ['the end of a pool', 'DELETE', '/api/pools/a', undefined, 4, 0],
  ['the forced end of a pool', 'DELETE', '/api/pools/a?force=true', undefined, 4, 4],
]

test.each(rows)('%s: what it would do is what it then does', async (_, method, path, body, open, ends) => {
  await using api = await withPools()
  const before = (await api.get('/api/state')).json.moment.revision
  const tried = await api.call(method, `${path}${path.includes('?') ? '&' : '?'}dry_run=true`, body)
  expect(tried).toMatchObject({ status: 200, json: { dry_run: true, changes: true, open_connections: open, ends_connections: ends } })
  expect(tried.headers).not.toHaveProperty('etag')
  expect(api.live.routing.revision).toBe(before)

  expect((await api.call(method, path, body)).status).toBeLessThan(300)
  const made = (await api.get(`/api/diff?from=${before}`)).json.differences
  expect(made.length).toBeGreaterThan(0)
  expect(tried.json.differences.map(named)).toEqual(made.map(named))
})

/** Two objects made at two moments differ in when that was. */
function named({ field, kind, subject }: Record<'field' | 'kind' | 'subject', unknown>): unknown[] {
  return [kind, subject, field]
}

test('forcing what drains already counts the connections of that pool alone', async () => {
  await using api = await withPools()
  for (const pool of ['a', 'b']) await api.call('POST', `/api/pools/${pool}/backends/${id}/drain`)
  const forced = await api.call('POST', `${backend}/drain?dry_run=true`, { force: true })
  expect(forced.json).toMatchObject({ changes: true, differences: [], open_connections: 4, ends_connections: 4 })
})

test('what is so already', async () => {
  await using api = await withPools()
  for (const [path, body] of [['/api/pools/a', {}], ['/api/pools/a', { algorithm: 'least_connections' }], [backend, { weight: 1 }]] as const) {
    expect(await api.call('PATCH', `${path}?dry_run=true`, body)).toMatchObject({ status: 200, json: { changes: false, differences: [] } })
  }
  expect((await api.call('POST', `${backend}/resume?dry_run=true`)).json).toMatchObject({ changes: false, open_connections: 0 })
})

test('the refusals of the real call', async () => {
  await using api = await withPools()
  const refusal = async (method: 'DELETE' | 'PATCH' | 'POST', path: string, body?: object, headers = {}): Promise<unknown[]> => {
    const { json, status } = await api.call(method, `${path}?dry_run=true`, body, headers)
    return [status, json.code]
  }
  expect(await refusal('POST', '/api/pools', { name: 'a' })).toEqual([409, 'pool_exists'])
  expect(await refusal('PATCH', '/api/pools/a', { server_names: ['b.example'] })).toEqual([409, 'server_name_taken'])
  expect(await refusal('PATCH', '/api/pools/a', { owner: 'x' }, { 'if-match': '"99"' })).toEqual([412, 'revision_mismatch'])
  expect(await refusal('DELETE', '/api/pools/none')).toEqual([404, 'pool_unknown'])
  expect(await refusal('DELETE', '/api/pools/a/backends/none:1')).toEqual([404, 'backend_unknown'])
  expect(await refusal('PATCH', '/api/pools/a', { owner: 'x' }, { 'idempotency-key': 'no good' })).toEqual([400, 'header_invalid'])
  expect(await api.records('control')).toHaveLength(2)
})

test('a node that no longer follows the configuration can not say', async () => {
  await using api = await withPools()
  const alien: Draft = {
    id: '0198c0de-0000-7000-8000-00000000000a', type: 'dev.waybill.pool.imagined.v9', subject: 'pools/a',
    time: '2026-11-24T08:00:00.000Z', partitionkey: 'control', data: {},
  }
  await api.log.append('control', [alien], { purpose: 'owed' })
  await settled()
  expect(await api.call('DELETE', '/api/pools/a?dry_run=true')).toMatchObject({ status: 503, json: { code: 'configuration_frozen' } })
})
