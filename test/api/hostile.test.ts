import { describe, expect, test } from 'vitest'
import { harness } from './harness.ts'

/** Input that nobody means well: each is refused with a sentence, changes nothing, and is no fault of this program. */

const connection = '0198c0de-0000-7000-8000-000000000001'
const many = (count: number): string => 'x'.repeat(count)

test.each<[string, string, string | undefined, number]>([
  // Numbers.
  ['PATCH', '/api/pools/a', '{"health_check_interval":1e999}', 422],
  ['PATCH', '/api/pools/a', '{"health_check_interval":9007199254740993}', 422],
  ['PATCH', '/api/pools/a', '{"health_check_interval":-0}', 422],
  ['PATCH', '/api/pools/a', '{"drain_timeout":604800001}', 422],
  ['PATCH', '/api/pools/a', '{"drain_timeout":0.5}', 422],
  ['PATCH', '/api/pools/a', '{"listen":65536}', 422],
  ['PATCH', '/api/pools/a', '{"listen":0}', 422],
  ['PATCH', '/api/pools/a/backends/x:443', '{"weight":257}', 422],
  ['PATCH', '/api/pools/a/backends/x:443', '{"weight":"2"}', 422],
  ['GET', '/api/pools?limit=99999999999999999999', undefined, 422],
  ['GET', '/api/pools?limit=-1', undefined, 422],
  ['GET', '/api/pools?limit=1.5', undefined, 422],
  ['GET', '/api/pools?limit=%201', undefined, 422],
  ['GET', '/api/pools?limit=0x10', undefined, 422],
  ['GET', '/api/state?revision=9999999999999999', undefined, 422],
  ['GET', '/api/state?revision=1e2', undefined, 422],
  // Other types than expected.
  ['PATCH', '/api/pools/a', '[]', 422],
  ['PATCH', '/api/pools/a', '"x"', 422],
  ['PATCH', '/api/pools/a', 'null', 400],
  ['PATCH', '/api/pools/a', '{"server_names":{"0":"x"}}', 422],
  ['PATCH', '/api/pools/a', '{"server_names":[["x"]]}', 422],
  ['PATCH', '/api/pools/a', '{"owner":{"toString":"x"}}', 422],
  ['PATCH', '/api/pools/a', '{"constructor":{}}', 422],
  ['PATCH', '/api/pools/a', '{"default_route":null}', 422],
  ['PATCH', '/api/pools/a', '{"owner":""}', 422],
  ['PATCH', '/api/listeners/shared', '[]', 422],
  ['PATCH', '/api/listeners/shared', '{"no_sni":true}', 422],
  ['PATCH', '/api/listeners/shared', '{"no_sni":["refuse"]}', 422],
  ['PATCH', '/api/listeners/shared', '{"no_sni":{}}', 422],
  ['PATCH', '/api/listeners/shared', '{"no_sni":{"pool":null}}', 422],
  ['PATCH', '/api/listeners/shared', '{"constructor":"refuse"}', 422],
  ['PATCH', '/api/listeners/shared', '{"declaration":null}', 422],
  ['PATCH', '/api/listeners/pools/a', '{"no_sni":"refuse"}', 404],
  ['PATCH', '/api/listeners/pools/..%2Fshared', '{"no_sni":"refuse"}', 422],
  ['PUT', '/api/listeners/shared', '{}', 405],
  ['DELETE', '/api/listeners/shared', undefined, 405],
  ['GET', '/api/listeners/shared?x=1', undefined, 422],
  ['POST', '/api/pools', '{"name":"b","backends":"https://x"}', 422],
  ['POST', '/api/pools', '{"name":"b","backends":[{"url":"https://x","state":"draining"}]}', 422],
  ['POST', '/api/pools', '{"name":"b","backends":[{"url":"https://user:secret@x"}]}', 422],
  ['POST', '/api/pools', '{"name":"b","backends":[{"url":"https://x"},{"url":"https://X:443"}]}', 409],
  ['POST', '/api/pools/a/backends/x:443/drain', '{"force":"true"}', 422],
  ['POST', '/api/pools/a/backends/x:443/drain', '[]', 422],
  ['POST', '/api/pools/a/backends/x:443/resume', '{"force":true}', 422],
  // Parameters twice, and such that there are not.
  ['GET', '/api/pools?limit=1&limit=2', undefined, 422],
  ['GET', '/api/pools?cursor=a&cursor=b', undefined, 422],
  ['GET', '/api/pools?managed_by=nobody', undefined, 422],
  ['GET', '/api/pools/a?at=2026-11-24T08:00:00Z', undefined, 422],
  ['GET', '/api/pools/a/backends?limit=1', undefined, 422],
  ['GET', '/api/pools/a/backends/x:443?x=1', undefined, 422],
  ['GET', '/api/listeners?x=1', undefined, 422],
  ['GET', '/api/connections?pool[]=a', undefined, 422],
  ['GET', '/api/connections?pool=a&pool=b', undefined, 422],
  ['GET', `/api/connections/${connection}?x=1`, undefined, 422],
  ['DELETE', '/api/pools/a?force=yes', undefined, 422],
  ['DELETE', '/api/pools/a?force=true&force=false', undefined, 422],
  ['DELETE', '/api/pools/a?dry_run=1', undefined, 422],
  ['DELETE', '/api/pools/a?ticket=', undefined, 422],
  ['DELETE', `/api/pools/a?reason=${many(501)}`, undefined, 422],
  ['DELETE', '/api/pools/a', '{"force":true}', 400],
  ['DELETE', '/api/pools/a/backends/x:443', '{}', 400],
  ['PATCH', '/api/pools/a?force=true', '{}', 422],
  // Paths that try to lead elsewhere, and names in other scripts.
  ['GET', '/api/pools/..%2f..%2fetc%2fpasswd', undefined, 422],
  ['GET', '/api/pools/%2e%2e', undefined, 404],
  ['GET', '/api/pools/a%00', undefined, 422],
  ['GET', '/api/pools/%D0%B0', undefined, 422],
  ['GET', '/api/pools/A', undefined, 422],
  ['GET', '/api/pools/%E0%A4%A', undefined, 400],
  ['GET', '/api/pools/constructor', undefined, 404],
  ['GET', '/api/pools/a/backends/__proto__', undefined, 404],
  ['GET', '/api/pools/a/backends/..%2f..%2fa', undefined, 404],
  ['GET', '/api/pools/a/backends/x%3A443%0d%0aset-cookie:1', undefined, 404],
  ['GET', `/api/pools/a/backends/${many(261)}`, undefined, 422],
  ['GET', `/api/connections/${connection}%00`, undefined, 422],
  ['DELETE', '/api/connections/..%2f..%2fpools%2fa', undefined, 422],
  ['POST', '/api/pools', '{"name":"\u0430"}', 422],
  ['POST', '/api/pools', '{"name":"a\\u0000"}', 422],
  ['POST', '/api/pools', '{"name":"b","owner":"\\ud800"}', 422],
  ['POST', '/api/pools', '{"name":"b","server_names":["\u202egnp.example"]}', 422],
])('%s %s %s: %i', async (method, url, body, status) => {
  await using api = await harness()
  await api.post('/api/pools', { name: 'a', backends: [{ url: 'https://x' }] })
  const payload = body === undefined ? {} : { payload: body }
  const answer = await api.app.inject({ method: method as 'GET', url, headers: { host: 'localhost:4000' }, ...payload })
  expect(answer.statusCode).toBe(status)
  const problem = answer.json<{ code: string; detail: string; status: number }>()
  expect(problem).toMatchObject({ status, detail: expect.stringMatching(/\.$/) })
  expect(problem.code).not.toBe('internal_error')
  expect(api.violations).toEqual([])
  expect(api.live.routing.revision).toBe(1)
})

describe('what is strange and all right', () => {
  test('a name in another script is one server name with its A-label', async () => {
    await using api = await harness()
    const created = await api.post('/api/pools', { name: 'a', server_names: ['BÜCHER.example', 'xn--bcher-kva.example'], owner: '支払い 💳' })
    expect(created.json).toMatchObject({ server_names: ['xn--bcher-kva.example'], owner: '支払い 💳' })
  })

  test('a backend is found by its id however it is encoded', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a', backends: [{ url: 'https://[::1]' }] })
    for (const id of ['%5B::1%5D:443', '%5b%3A%3A1%5d%3a443', '[::1]:443']) {
      expect((await api.get(`/api/pools/a/backends/${id}`)).json).toMatchObject({ id: '[::1]:443' })
    }
  })

  test('a body of nothing but space, where none is needed', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a', backends: [{ url: 'https://x' }] })
    expect(await api.post('/api/pools/a/backends/x:443/drain', ' \r\n')).toMatchObject({ status: 200, json: { state: 'draining' } })
  })

  test('a cursor that nothing gave out is a place like any other', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    expect((await api.get('/api/pools?cursor=%F0%9F%92%A5')).json).toMatchObject({ pools: [], next_cursor: null })
    expect((await api.get('/api/pools?cursor=%00')).json).toMatchObject({ pools: [{ name: 'a' }] })
  })

  test('as many backends as there may be, inline; one more is refused', async () => {
    await using api = await harness()
    const backends = Array.from({ length: 257 }, (_, index) => ({ url: `https://10.0.${index >> 8}.${index & 255}` }))
    expect(await api.post('/api/pools', { name: 'a', backends })).toMatchObject({ status: 422, json: { field: 'backends' } })
    expect((await api.post('/api/pools', { name: 'a', backends: backends.slice(1) })).json.backends).toHaveLength(256)
  })
})
