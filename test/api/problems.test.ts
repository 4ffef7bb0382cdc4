import { describe, expect, test } from 'vitest'
import type { Draft } from '../../events/envelope.ts'
import type { Answer } from '../../src/commands/desk.ts'
import { effectOf } from '../../src/api/answers.ts'
import { codes, type Code } from '../../src/api/codes.ts'
import type { Problem } from '../../src/api/problem.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { harness, type Answered, type Harness } from './harness.ts'

function expectProblem(answer: Answered, code: Code): void {
  const { action, status, title } = codes[code]
  expect(answer.json).toMatchObject({
    type: `urn:waybill:problem:${code}`, title, status, action, code,
    detail: expect.stringMatching(/\S.*\.$/),
    instance: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/),
  })
  expect(answer.status).toBe(status)
  expect(answer.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  })
}

async function withPools(): Promise<Harness> {
  const api = await harness()
  await api.post('/api/pools', { name: 'a' })
  await api.post('/api/pools', { name: 'b', server_names: ['b.example'], listen: 9443 })
  await api.post('/api/pools/a/backends', { url: 'https://x' })
  return api
}

describe('what the caller got wrong', () => {
  test.each<[Code, string | undefined, string, unknown]>([
    ['pool_exists', 'name', '/api/pools', { name: 'a' }],
    ['server_name_taken', 'server_names', '/api/pools', { name: 'c', server_names: ['B.example'] }],
    ['server_name_invalid', 'server_names.1', '/api/pools', { name: 'c', server_names: ['c.example', 'not a name'] }],
    ['listen_taken', 'listen', '/api/pools', { name: 'c', listen: '127.0.0.1:9443' }],
    ['listen_invalid', 'listen', '/api/pools', { name: 'c', listen: 'example.com:1' }],
    ['default_route_taken', 'default_route', '/api/pools', { name: 'c', default_route: true }],
    ['never_decrypts', 'ssl_mode', '/api/pools', { name: 'c', ssl_mode: 'terminate' }],
    ['field_invalid', 'name', '/api/pools', { name: 'Not_A_Name' }],
    ['field_invalid', 'name', '/api/pools', {}],
    ['field_invalid', 'name', '/api/pools', { name: 'a'.repeat(64) }],
    ['field_invalid', 'algorithm', '/api/pools', { name: 'c', algorithm: 'fastest' }],
    ['field_invalid', 'health_check_interval', '/api/pools', { name: 'c', health_check_interval: 99 }],
    ['field_invalid', 'health_check_interval', '/api/pools', { name: 'c', health_check_interval: '100' }],
    ['field_invalid', 'colour', '/api/pools', { name: 'c', colour: 'red' }],
    ['field_invalid', 'change.tickets', '/api/pools', { name: 'c', change: { tickets: 'x' } }],
    ['field_invalid', 'change.reason', '/api/pools', { name: 'c', change: { reason: '\ud800' } }],
    ['field_invalid', undefined, '/api/pools', [1]],
    ['field_invalid', 'listen', '/api/pools', { name: 'c', listen: true }],
    ['backend_exists', 'url', '/api/pools/a/backends', { url: 'https://X:443' }],
    ['backend_url_invalid', 'url', '/api/pools/a/backends', { url: 'http://y' }],
    ['field_invalid', 'weight', '/api/pools/a/backends', { url: 'https://y', weight: 0 }],
    ['field_invalid', 'url', '/api/pools/a/backends', {}],
    ['pool_unknown', undefined, '/api/pools/none/backends', { url: 'https://y' }],
    ['field_invalid', 'name', '/api/pools/NONE/backends', { url: 'https://y' }],
  ])('%s %s %s', async (code, field, url, body) => {
    await using api = await withPools()
    const answer = await api.post(url, body)
    expectProblem(answer, code)
    expect(answer.json.field).toBe(field)
    if (field !== undefined) expect(answer.json.errors).toContainEqual({ field, sentence: expect.any(String) })
    expect(api.live.routing.revision).toBe(3)
  })

  test('the sentence for another ssl_mode says that this proxy never decrypts', async () => {
    await using api = await harness()
    expect((await api.post('/api/pools', { name: 'a', ssl_mode: 'bridge' })).json.detail).toContain('this proxy never decrypts')
  })

  test('every wrong field at once, and which fields there are', async () => {
    await using api = await harness()
    const { json } = await api.post('/api/pools', { algorithm: 'x', colour: 1, change: { who: 'me' } })
    expect(json.errors).toEqual([
      { field: 'name', sentence: 'name is required.' },
      { field: 'algorithm', sentence: 'algorithm must be "least_connections" or "random" or "round_robin".' },
      { field: 'change.who', sentence: expect.stringContaining('may have approved_by, reason, requested_by, ticket') },
      { field: 'colour', sentence: expect.stringContaining('may have name, algorithm, ssl_mode') },
    ])
  })

  test.each([
    ['{"name":"x",}', 1, 13, 'the name of a field'],
    ['{\n  "name": x\n}', 2, 11, 'not a JSON value'],
    ['{"name":"x"', 1, 12, '"," or "}"'],
    ['{"name":"x"} {}', 1, 14, 'goes on after the end'],
    ['{"name":"x\n"}', 1, 9, 'a string is not closed'],
    ['{"name":"x","name":"y"}', 1, 13, 'twice'],
    ['{"__proto__":{"name":"x"}}', 1, 2, '__proto__'],
    ['{"\\u005f_proto__":{"name":"x"}}', 1, 2, '__proto__'],
    ['{"name":[01]}', 1, 10, 'not a JSON value'],
    [`${'['.repeat(40)}${']'.repeat(40)}`, 1, 34, 'levels'],
    ["{'name':1}", 1, 2, 'double quotes'],
  ])('broken JSON %j says where', async (body, line, column, sentence) => {
    await using api = await harness()
    const answer = await api.post('/api/pools', body)
    expectProblem(answer, 'body_invalid')
    expect(answer.json).toMatchObject({ line, column })
    expect(answer.json.detail).toContain(sentence)
  })

  test.each(['', '   ', 'null'])('a body of %j is missing', async (body) => {
    await using api = await harness()
    expectProblem(await api.post('/api/pools', body), 'body_invalid')
  })

  test('a body that is not UTF-8', async () => {
    await using api = await harness()
    const { statusCode, json } = await api.app.inject({
      method: 'POST', url: '/api/pools', headers: { host: 'localhost:4000' }, payload: Buffer.from([0x7b, 0xff]),
    })
    expect([statusCode, json().code]).toEqual([400, 'body_invalid'])
  })

  test('a body larger than 64 KiB, and a change whose record would be too large', async () => {
    await using api = await harness()
    expectProblem(await api.post('/api/pools', ' '.repeat(65_537)), 'body_too_large')
    const label = 'a'.repeat(60)
    const server_names = Array.from({ length: 256 }, (_, index) => `${label}.${label}.${label}.b${label.slice(12)}.${index}.test`)
    expectProblem(await api.post('/api/pools', { name: 'a', server_names }), 'command_too_large')
  })

  test('addresses and methods that there are not', async () => {
    await using api = await withPools()
    expectProblem(await api.get('/api/nothing'), 'route_unknown')
    expectProblem(await api.get(`/api/pools/${'a'.repeat(301)}`), 'route_unknown')
    expectProblem(await api.get('/api/%zz'), 'request_malformed')
    expectProblem(await api.get('/api/pools/none'), 'pool_unknown')
    expectProblem(await api.get('/api/pools/a/backends/none:1'), 'backend_unknown')
    const put = await api.app.inject({ method: 'PUT', url: '/api/pools/a', headers: { host: 'localhost:4000' } })
    expect([put.statusCode, put.json().code, put.headers['allow']]).toEqual([405, 'method_not_allowed', 'GET, HEAD, PATCH, DELETE'])
  })
})

describe('what the world got wrong', () => {
  test('the log takes no records: 503 at once, and nothing was changed', async () => {
    await using api = await harness()
    using _broken = api.log.breakCommits('control', 'not_written', 'ENOSPC')
    expectProblem(await api.post('/api/pools', { name: 'a' }), 'not_applied')
    const answer = await api.post('/api/pools', { name: 'a' })
    expectProblem(answer, 'not_applied')
    expect(answer.json.detail).toContain('ENOSPC')
  })

  test('a change that is not confirmed in time: 503 with the id of its record', async () => {
    const clock = new ManualClock()
    await using api = await harness({ clock })
    const gate = api.log.stallCommits('control')
    const asked = api.post('/api/pools', { name: 'a' })
    await clock.run(5_000)
    const answer = await asked
    gate[Symbol.dispose]()
    expectProblem(answer, 'outcome_unknown')
    await settled()
    expect((await api.records('control')).map(({ id }) => id)).toEqual([answer.json.record_id])
  })

  test('a clock that is wrong: no changes, but dry runs, reads and readiness', async () => {
    let because: string | null = null
    await using api = await harness({ clockOff: () => because })
    await api.post('/api/pools', { name: 'a' })
    because = 'The clock is an hour behind.'
    const answer = await api.post('/api/pools', { name: 'b' })
    expectProblem(answer, 'clock_off')
    expect(answer.json.detail).toBe('The clock is an hour behind. Nothing was changed.')
    expect((await api.records('control')).length).toBe(1)
    expect((await api.post('/api/pools?dry_run=true', { name: 'b' })).status).toBe(200)
    expect((await api.get('/api/pools/a')).status).toBe(200)
    expect((await api.get('/health/ready')).status).toBe(200)
    because = null
    expect((await api.post('/api/pools', { name: 'b' })).status).toBe(201)
  })

  test('a record of a newer version: no more changes, not ready', async () => {
    await using api = await harness()
    const alien: Draft = {
      id: '0198c0de-0000-7000-8000-00000000000a', type: 'dev.waybill.pool.imagined.v9', subject: 'pools/a',
      time: '2026-11-24T08:00:00.000Z', partitionkey: 'control', data: {},
    }
    await api.log.append('control', [alien], { purpose: 'owed' })
    await settled()
    expectProblem(await api.post('/api/pools', { name: 'a' }), 'configuration_frozen')
    expect((await api.get('/health/ready')).json.errors).toMatchObject([{ code: 'configuration_frozen' }])
  })

  test('a bug is a 500 that says nothing of it, a line in the log, and a call to onViolation', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    const bug = new TypeError('secret detail')
    api.live.traffic.pools.get = () => {
      throw bug
    }
    const answer = await api.get('/api/pools/a')
    expectProblem(answer, 'internal_error')
    expect(answer.body).not.toContain('secret')
    expect(api.violations).toEqual([bug])
    expect(api.lines).toContainEqual('GET /api/pools/a failed: secret detail')
  })
})

test.each<[Answer<object>, Code]>([
  [{ kind: 'busy', waiting: 64 }, 'command_queue_full'],
  [{ kind: 'conflict_retry_exhausted', attempts: 16 }, 'conflict_retry_exhausted'],
  [{ kind: 'refused', refusal: { code: 'too_many_pools', sentence: 'No.' } }, 'too_many_pools'],
  [{ kind: 'refused', refusal: { code: 'too_many_backends', sentence: 'No.' } }, 'too_many_backends'],
  [{ kind: 'refused', refusal: { code: 'revision_mismatch', sentence: 'No.' } }, 'revision_mismatch'],
])('the desk answers %j: %s', (answer, code) => {
  expect(() => effectOf(answer)).toThrow(expect.objectContaining({ name: 'Problem', code }) as Problem)
})
