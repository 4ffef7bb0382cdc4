import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { harness, type Answered, type Harness } from './harness.ts'

/** POST and GET /api/declarations: what a declaration file becomes through the API. */

const file = '/etc/waybill/waybill.yaml'
const content = `change: {ticket: CHG-1}
pools:
  - name: a
    server_names: [a.example]
    backends: [{url: "https://x"}]
`

const apply = (api: Harness, text: string, more: { query?: string; headers?: Record<string, string>; file?: string } = {}): Promise<Answered> =>
  api.post(`/api/declarations${more.query ?? ''}`, { content: text, file: more.file ?? file }, more.headers)

const control = async (api: Harness): Promise<string[]> => (await api.records('control')).map(({ subject }) => subject)

describe('applying', () => {
  test('answers with what is different now; a second time with nothing', async () => {
    await using api = await harness()
    const first = await apply(api, content)
    expect(first).toMatchObject({
      status: 200,
      json: {
        file, applied: true, digest: createHash('sha256').update(content).digest('hex'), settings_at_next_start: [], warnings: [],
        objects: { created: 1, changed: 0, removed: 0 },
      },
    })
    expect(first.json.differences.map(({ kind, subject }: { kind: string; subject: string }) => `${kind} ${subject}`)).toEqual([
      'added pools/a', 'added backends/a/x:443', 'changed routes', `added files/${file}`,
    ])
    expect((await apply(api, content)).json).toMatchObject({ applied: false, differences: [], objects: { created: 0, changed: 0, removed: 0 } })
    expect(await control(api)).toHaveLength(2)
  })

  test('the records carry the caller, and the ticket of the file', async () => {
    await using api = await harness()
    await apply(api, content)
    for (const { data } of await api.records('control')) {
      expect(data).toMatchObject({ actor: { id: 'loopback', type: 'local' }, change: { ticket: 'CHG-1' }, origin: { via: 'api' } })
    }
  })

  test('a dry run answers alike and records nothing', async () => {
    await using api = await harness()
    const { json, status } = await apply(api, content, { query: '?dry_run=true' })
    expect(status).toBe(200)
    expect(json).toMatchObject({ applied: false, objects: { created: 1 } })
    expect(json.differences).toHaveLength(4)
    expect(await control(api)).toEqual([])
  })

  test('a megabyte of it fits, more does not', async () => {
    await using api = await harness()
    const long = `${content}${'# "\\\n'.repeat(209_000)}`
    expect((await apply(api, long, { query: '?dry_run=true' })).status).toBe(200)
    expect(await apply(api, '#'.repeat(1_048_577))).toMatchObject({ status: 422, json: { code: 'field_invalid', field: 'content' } })
    expect(await apply(api, '\n'.repeat(1_048_577))).toMatchObject({ status: 413, json: { code: 'body_too_large' } })
  })

  test('settings of a file that the server was not started with are said to be unused', async () => {
    await using api = await harness()
    const { json } = await apply(api, `${content}settings: {peek_timeout_ms: 1}\n`)
    expect(json).toMatchObject({ applied: true, settings_at_next_start: [], warnings: [expect.stringContaining('was not started with --config')] })
  })

  test('a repeated Idempotency-Key writes nothing', async () => {
    await using api = await harness()
    const headers = { 'idempotency-key': 'k-1' }
    await apply(api, content, { headers })
    await apply(api, 'pools: []\n')
    const again = await apply(api, content, { headers })
    expect(again).toMatchObject({ status: 200, headers: { 'idempotent-replayed': 'true' }, json: { applied: false } })
    expect(await control(api)).toHaveLength(4)
    expect(await apply(api, 'pools: []\n', { headers })).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } })
  })
})

describe('what is refused changes nothing', () => {
  test('a file with mistakes: every one with line and column', async () => {
    await using api = await harness()
    const { json, status } = await apply(api, 'pools:\n  - name: A\n    listn: 1\n')
    expect(status).toBe(422)
    expect(json).toMatchObject({
      code: 'declaration_invalid',
      detail: '2:11: pools[0].name must be 1 to 63 of a-z, 0-9 and "-". 3:5: "listn" is no key of pools[0]; did you mean "listen"?',
      errors: [{ line: 2, column: 11, sentence: expect.any(String) }, { line: 3, column: 5, sentence: expect.any(String) }],
    })
    expect(await control(api)).toEqual([])
  })

  test('what only the rules know is wrong is a mistake of the file as well', async () => {
    await using api = await harness()
    const { json, status } = await apply(api, 'pools:\n  - name: a\n    backends: [{url: "http://x"}]\n')
    expect(status).toBe(422)
    expect(json).toMatchObject({ code: 'declaration_invalid', errors: [{ code: 'backend_url_invalid', line: 3, column: 22 }] })
  })

  test('what another pool holds', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'other', server_names: ['a.example'] })
    const { json, status } = await apply(api, content)
    expect(status).toBe(409)
    expect(json).toMatchObject({ code: 'server_name_taken', pool: 'other', errors: [{ line: 4, column: 19 }] })
    expect(await control(api)).toEqual(['pools/other'])
  })

  test('what another file declares', async () => {
    await using api = await harness()
    await apply(api, content, { file: '/etc/other.yaml' })
    expect(await apply(api, content)).toMatchObject({ status: 409, json: { code: 'managed_by_file', file: '/etc/other.yaml' } })
  })

  test.each([['relative/path.yaml'], ['']])('the path "%s"', async (path) => {
    await using api = await harness()
    expect(await apply(api, content, { file: path })).toMatchObject({ status: 422, json: { code: 'field_invalid', field: 'file' } })
  })

  test('If-Match, which names no pool here', async () => {
    await using api = await harness()
    expect(await apply(api, content, { headers: { 'if-match': '"1"' } })).toMatchObject({ status: 400, json: { code: 'header_invalid' } })
  })
})

test('what was applied is listed, each file as it was last', async () => {
  await using api = await harness()
  await apply(api, content)
  await apply(api, 'pools: []\nsettings: {peek_timeout_ms: 9}\n', { file: '/etc/b.yaml' })
  await apply(api, 'pools: []\n')
  const { json } = await api.get('/api/declarations')
  expect(json.declarations).toMatchObject([
    { file: '/etc/b.yaml', revision: 3, settings: { peek_timeout_ms: '9' } },
    { file, revision: 5, settings: {}, digest: createHash('sha256').update('pools: []\n').digest('hex') },
  ])
})

test('the API may not change what the file declares, and may drain it', async () => {
  await using api = await harness()
  await apply(api, content)
  const refused = { status: 409, json: { code: 'managed_by_file', file } }
  expect(await api.call('PATCH', '/api/pools/a', { server_names: [] })).toMatchObject(refused)
  expect(await api.call('DELETE', '/api/pools/a/backends/x:443')).toMatchObject(refused)
  expect((await api.post('/api/pools/a/backends/x:443/drain', {})).status).toBe(200)
  expect((await api.call('PATCH', '/api/pools/a', { owner: 'ada' })).status).toBe(200)
  expect((await apply(api, content)).json).toMatchObject({ applied: false })
})
