import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rawRecords, runWaybill, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

/** A server that is run by a declaration file, as a process of its own. */

/** Each starts several processes, on machines that do other things as well. */
const processesTimeoutMs = 90_000

function declare(folder: TemporaryFolder, text: string): string {
  const path = join(folder.path, 'waybill.yaml')
  // As whoever deploys it does: never half a file.
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
  return path
}

const first = `settings: {peek_timeout_ms: 4000}
pools:
  - name: app
    server_names: [app.example]
    backends: [{url: "https://127.0.0.1:9"}, {url: "https://127.0.0.1:10"}]
  - name: other
    server_names: [other.example]
listeners:
  shared: {no_sni: {pool: app}, sslv2: null}
`
const swapped = `settings: {peek_timeout_ms: 3000, dial_timeout_ms: 7}
pools:
  - name: app
    server_names: [other.example]
    backends: [{url: "https://127.0.0.1:9"}]
  - name: other
    server_names: [app.example]
    min_tls_version: TLSv1.2
listeners:
  shared: {unknown_sni: {pool: other}}
`

const said = (server: RunningWaybill, text: string): string | undefined => server.lines.find((line) => line.includes(text))
const subjects = (data: string): string[] => rawRecords(data, 'control').map(({ type, ...record }) => `${type.replace('dev.waybill.', '').replace('.v1', '')} ${(record as unknown as { subject: string }).subject}`.replace(/ files\/.*/, ''))

async function hangUp(server: RunningWaybill, until: string): Promise<void> {
  server.lines.length = 0
  process.kill(server.pid, 'SIGHUP')
  await expect.poll(() => said(server, until), { timeout: 10_000 }).toBeDefined()
}

async function poolsOf(server: RunningWaybill): Promise<Record<string, unknown>[]> {
  return ((await (await fetch(`${server.api}/api/pools`)).json()) as { pools: Record<string, unknown>[] }).pools
}

test('from the first start over SIGHUP to the next one', { timeout: processesTimeoutMs }, async () => {
  using folder = new TemporaryFolder()
  const data = join(folder.path, 'data')
  const file = declare(folder, first)
  const flags = ['--config', file, '--dial-timeout-ms', '900']
  {
    await using server = await startWaybill(data, flags)
    expect(await poolsOf(server)).toMatchObject([
      { name: 'app', managed_by: 'file', managed_by_file: file }, { name: 'other', managed_by: 'file' },
    ])
    expect(subjects(data)).toEqual(['pool.created pools/app', 'pool.created pools/other', 'listener.changed listeners/shared', 'config.applied'])
    expect(rawRecords(data, 'control')[3]!.data).toMatchObject({
      actor: { authn: 'none', type: 'node' }, file, objects: { changed: 1, created: 2 }, origin: { via: 'internal' },
      settings: [{ name: 'peek_timeout_ms', value: '4000' }],
    })
    const started = rawRecords(data, 'operations').find(({ type }) => type.endsWith('node.started.v1'))!
    expect(started.data['settings']).toEqual(expect.arrayContaining([{ name: 'peek_timeout_ms', value: '4000' }, { name: 'dial_timeout_ms', value: '900' }]))

    await hangUp(server, 'is unchanged since it was applied')
    expect(rawRecords(data, 'control')).toHaveLength(4)

    // The API may not touch what is declared, and may drain it.
    const refused = await fetch(`${server.api}/api/pools/app`, { method: 'PATCH', body: JSON.stringify({ server_names: [] }) })
    expect([refused.status, await refused.json()]).toEqual([409, expect.objectContaining({ code: 'managed_by_file', file, detail: expect.stringContaining(file) })])
    expect((await server.post('/api/pools/app/backends/127.0.0.1:9/drain', {})).status).toBe(200)
    const before = rawRecords(data, 'control').length

    // A broken file changes nothing.
    declare(folder, 'pools:\n  - name: APP\n    serer_names: []\n')
    await hangUp(server, 'The configuration stays as it was')
    expect(said(server, 'The configuration stays as it was')).toContain(`${file}:3:5: \\"serer_names\\" is no key of pools[0]; did you mean \\"server_names\\"?`)
    declare(folder, 'pools:\n  - {name: app, server_names: [x.example]}\n  - {name: other, server_names: [x.example]}\n')
    await hangUp(server, 'already claims')
    expect(rawRecords(data, 'control')).toHaveLength(before)
    expect(await poolsOf(server)).toMatchObject([{ server_names: ['app.example'] }, { server_names: ['other.example'] }])

    // A changed one is applied; two pools swap their names.
    declare(folder, swapped)
    await hangUp(server, 'was applied')
    expect(await poolsOf(server)).toMatchObject([{ server_names: ['other.example'] }, { server_names: ['app.example'] }])
    expect(subjects(data).slice(before)).toEqual([
      'pool.changed pools/app', 'pool.changed pools/other', 'pool.changed pools/app', 'backend.removed backends/app/127.0.0.1:10',
      'listener.changed listeners/shared', 'config.applied',
    ])
    expect(await (await fetch(`${server.api}/api/listeners/shared`)).json()).toMatchObject({
      managed_by_file: file, policy: { no_sni: 'refuse', unknown_sni: { pool: 'other' } }, set: ['unknown_sni'],
    })
    const [backend] = ((await (await fetch(`${server.api}/api/pools/app/backends`)).json()) as { backends: object[] }).backends
    expect(backend).toMatchObject({ id: '127.0.0.1:9', state: 'draining' })
    // The flag hides one of the two settings.
    await expect.poll(() => said(server, 'take effect with the next start')).toContain('"settings":{"peek_timeout_ms":"3000"}')
    expect(await server.stop()).toBe(0)
  }
  const records = rawRecords(data, 'control').length
  await using again = await startWaybill(data, flags)
  expect(said(again, 'is unchanged since it was applied')).toBeDefined()
  expect(rawRecords(data, 'control')).toHaveLength(records)
  const last = rawRecords(data, 'operations').findLast(({ type }) => type.endsWith('node.started.v1'))!
  expect(last.data['settings']).toContainEqual({ name: 'peek_timeout_ms', value: '3000' })
})

test('a broken file stops the start, with every problem of it and of the flags', { timeout: processesTimeoutMs }, async () => {
  using folder = new TemporaryFolder()
  const file = declare(folder, 'settings: {log_level: loud}\npools:\n  - name: APP\n')
  const { code, stderr } = await runWaybill(['serve', '--data', join(folder.path, 'data'), '--config', file, '--peek-timeout-ms', 'x'])
  expect(code).toBe(2)
  expect(stderr.split('\n')).toEqual([
    expect.stringMatching(/^waybill: --peek-timeout-ms: "x" is not a whole number/),
    `${file}:1:23: settings.log_level: "loud" is none of debug, info, warn, error.`,
    expect.stringMatching(/:3:11: pools\[0\]\.name must be 1 to 63 of/),
    '',
  ])
  const missing = await runWaybill(['serve', '--data', join(folder.path, 'data'), '--config', join(folder.path, 'none.yaml')])
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringMatching(/^waybill: --config: the declaration file .*none\.yaml can't be read: ENOENT\n$/)])
})

test('a file that does not fit what the API made stops the start as well, and changes nothing', { timeout: processesTimeoutMs }, async () => {
  using folder = new TemporaryFolder()
  const data = join(folder.path, 'data')
  {
    await using server = await startWaybill(data)
    await server.post('/api/pools', { name: 'of-the-api', server_names: ['app.example'] })
    await server.stop()
  }
  const file = declare(folder, first)
  const { code, stderr } = await runWaybill(['serve', '--data', data, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0', '--config', file])
  expect(code).toBe(2)
  expect(stderr).toContain(`${file}:4:19: Pool "of-the-api" already claims "app.example".`)
  expect(rawRecords(data, 'control')).toHaveLength(1)
})

test('waybill apply --dry-run writes nothing, waybill apply does; check needs no server', { timeout: processesTimeoutMs }, async () => {
  using folder = new TemporaryFolder()
  const data = join(folder.path, 'data')
  const file = declare(folder, first)
  expect(await runWaybill(['check', file])).toMatchObject({ code: 0, stdout: `${file} is valid: 2 pools, 2 backends, 1 listener, 1 setting\n` })
  await using server = await startWaybill(data)
  const dry = await runWaybill(['apply', '--dry-run', '--data', data, file])
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('+ pools/app') })
  expect(rawRecords(data, 'control')).toEqual([])
  const applied = await runWaybill(['apply', '--api', server.api, file])
  expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('2 created, 1 changed, 0 removed.') })
  expect(rawRecords(data, 'control')).toHaveLength(4)
  const broken = declare(folder, 'pools: {}\n')
  expect(await runWaybill(['check', broken])).toMatchObject({ code: 1, stdout: `${broken}:1:8: pools must be a list.\n` })
  expect(await runWaybill(['apply', '--data', data, broken])).toMatchObject({ code: 2, stderr: `waybill: ${broken}:1:8: pools must be a list.\n` })
})

test('kill -9 in the middle of 200 pools: the next start does the rest', { timeout: processesTimeoutMs }, async () => {
  using folder = new TemporaryFolder()
  const data = join(folder.path, 'data')
  const pools = Array.from({ length: 200 }, (_, index) => `  - {name: p-${index}, server_names: [p-${index}.example], backends: [{url: "https://127.0.0.1:9"}]}`)
  const file = declare(folder, `pools:\n${pools.join('\n')}\n`)
  {
    await using server = await startWaybill(data)
    const applying = runWaybill(['apply', '--data', data, file])
    await expect.poll(() => rawRecords(data, 'control').length, { interval: 2, timeout: 10_000 }).toBeGreaterThan(20)
    await server.kill()
    expect((await applying).code).toBe(1)
  }
  const cut = rawRecords(data, 'control').length
  expect(cut).toBeLessThan(200)
  await using server = await startWaybill(data, ['--config', file])
  const records = rawRecords(data, 'control')
  expect(records).toHaveLength(201)
  expect(new Set(records.map(({ data: { name } }) => name as string)).size).toBe(201)
  expect(records.at(-1)!.data).toMatchObject({ file, objects: { created: 200 - cut } })
  expect((await poolsOf(server)).length).toBeGreaterThan(50)
})
