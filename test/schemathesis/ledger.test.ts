import { describe, expect, test } from 'vitest'
import type { RawRecord } from '../support/waybill.ts'
import type { ArchivedCall } from './archive.ts'
import { accessProblems, controlProblems } from './ledger.ts'

/** The judge of the runs with schemathesis: it has to be able to find something. */

function call(method: string, path: string, status: number, more: Partial<ArchivedCall> = {}): ArchivedCall {
  return { method, path, query: new URLSearchParams(), status, etag: null, replayed: false, body: '', sent: '', ...more }
}

function change(revision: number): RawRecord {
  return { type: 'dev.waybill.pool.changed.v1', sequence: '0', prevhash: '', run: '', revision, data: {} }
}

function access(method: string, status: number, count = 1): RawRecord {
  return { type: 'dev.waybill.access.granted.v1', sequence: '0', prevhash: '', run: '', data: { count, method, status } }
}

const dryRun = new URLSearchParams({ dry_run: 'true' })
const calls = [
  call('POST', '/api/pools', 201, { etag: '"1"' }),
  call('POST', '/api/pools', 409),
  call('PATCH', '/api/pools/a', 200, { etag: '"1"' }),
  call('PATCH', '/api/pools/a', 200, { etag: '"2"' }),
  call('PATCH', '/api/pools/a', 200, { etag: '"9"', query: dryRun }),
  call('POST', '/api/pools', 201, { etag: '"1"', replayed: true }),
  call('POST', '/api/declarations', 200, { body: '{"applied":true,"objects":{"created":1,"changed":0,"removed":0}}' }),
  call('DELETE', '/api/pools/a', 204),
  call('GET', '/api/pools', 200),
]

describe('control records', () => {
  test('one for each write that took effect, none for the others', () => {
    expect(controlProblems(calls, [1, 2, 3, 4, 5].map(change))).toEqual({ effective: 5, problems: [] })
  })

  test('one is missing, or one is too many', () => {
    expect(controlProblems(calls, [1, 2, 3, 4].map(change)).problems).toEqual([
      'DELETE /api/pools/a (204) took effect and has no record', '4 changes are on record, and 5 took effect by their answers',
    ])
    expect(controlProblems(calls, [1, 2, 3, 4, 5, 6].map(change)).problems).toEqual(['6 changes are on record, and 5 took effect by their answers'])
  })

  test('one says another revision than its answer', () => {
    const odd = [call('POST', '/api/pools', 201, { etag: '"7"' })]
    expect(controlProblems(odd, [change(1)]).problems).toEqual(['POST /api/pools (201) says revision 7, after 0 and 1 records'])
    expect(controlProblems(odd.slice(1), [change(2)]).problems).toHaveLength(2)
  })
})

describe('access records', () => {
  const all = [
    access('POST', 201, 2), access('POST', 409), access('POST', 200), access('PATCH', 200, 3), access('DELETE', 204), access('GET', 200),
  ]

  test('one for every call; the tool may have looked around before', () => {
    expect(accessProblems(calls, all)).toEqual([])
    expect(accessProblems(calls, [...all, access('GET', 404)])).toEqual([])
  })

  test('a write is missing or is there twice, a read is missing', () => {
    expect(accessProblems(calls, all.slice(1))).toEqual(['POST 201: 2 calls were made, and 0 are on record'])
    expect(accessProblems(calls, [...all, access('DELETE', 204)])).toEqual(['DELETE 204: 1 calls were made, and 2 are on record'])
    expect(accessProblems(calls, all.slice(0, -1))).toEqual(['GET 200: 1 calls were made, and 0 are on record'])
  })

  test('probes and reads of audit data need none', () => {
    expect(accessProblems([call('GET', '/health/ready', 503), call('GET', '/api/events', 200), call('GET', '/docs', 200)], [])).toEqual([])
    expect(accessProblems([call('GET', '/api/events', 422)], [])).toHaveLength(1)
  })
})
