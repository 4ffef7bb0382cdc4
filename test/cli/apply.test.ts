import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyCommand } from '../../src/cli/apply.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { folder, objects, run, serving, type Folder, type Ran } from './harness.ts'

const content = `pools:
  - name: a
    server_names: [a.example]
    backends: [{url: "https://x"}]
`

function written(data: Folder, text: string | Uint8Array, name = 'waybill.yaml'): string {
  const path = join(data.path, name)
  writeFileSync(path, text)
  return path
}

function apply(data: Folder, ...argv: string[]): Promise<Ran> {
  return run((ports) => applyCommand({ ...ports, disk: systemDisk }), ['--data', data.path, ...argv])
}

describe('apply', () => {
  test('prints what is different, then the counts; a second time that there is nothing', async () => {
    await using data = folder()
    await using api = await serving(data)
    const file = written(data, content)
    const { error, out, said } = await apply(data, file)
    expect({ error, said }).toEqual({ error: null, said: '' })
    expect(out).toContain('+ pools/a')
    expect(out).toContain('+ backends/a/x:443')
    expect(out.trimEnd().split('\n').at(-1)).toBe(`${file}: 1 created, 0 changed, 0 removed.`)
    expect((await apply(data, file)).out).toBe(`${file}: everything is so already; nothing was recorded.\n`)
    expect((await api.records('control')).map(({ data: { origin } }) => origin)).toEqual([{ ip: null, port: null, via: 'socket' }, { ip: null, port: null, via: 'socket' }])
  })

  test('listeners are shown as the rest is', async () => {
    await using data = folder()
    await using api = await serving(data)
    const file = written(data, `${content}    listen: 9443
listeners: {shared: {no_sni: {pool: a}}, pools/a: {timeout: refuse}}
`)
    const tried = await apply(data, '--dry-run', file)
    expect(tried.out).toMatch(/^~ listeners\/shared {2}no_sni: refuse -> \{"pool":"a"\}$/m)
    expect(tried.out).toMatch(/^\+ listeners\/pools\/a {2}managed_by_file=.* policy="no_sni: a, unknown_sni: a" set=\["timeout"\]$/m)
    expect((await apply(data, file)).out).toBe(tried.out.replace(' if it is applied; nothing was recorded', ''))
    expect((await api.get('/api/listeners/shared')).json).toMatchObject({ managed_by: 'file', policy: { no_sni: { pool: 'a' } } })
  })

  test('--dry-run prints the same and records nothing', async () => {
    await using data = folder()
    await using api = await serving(data)
    const file = written(data, content)
    const { out } = await apply(data, '--dry-run', file)
    expect(out).toContain('+ pools/a')
    expect(out.trimEnd().split('\n').at(-1)).toBe(`${file}: 1 created, 0 changed, 0 removed if it is applied; nothing was recorded.`)
    expect(await api.records('control')).toEqual([])
  })

  test('--json prints the answer as one object', async () => {
    await using data = folder()
    await using _api = await serving(data)
    const file = written(data, content)
    expect(objects((await apply(data, '--json', file)).out)).toMatchObject([{ file, applied: true, objects: { created: 1 } }])
  })

  test('settings that nobody uses are noted', async () => {
    await using data = folder()
    await using _api = await serving(data)
    const { said } = await apply(data, written(data, `${content}settings: {peek_timeout_ms: 1}\n`))
    expect(said).toMatch(/^note: The settings of .* are not used: this server was not started with --config .*\.\n$/)
  })

  test('the digest is that of the file, byte order mark and all', async () => {
    await using data = folder()
    await using api = await serving(data)
    await apply(data, written(data, `\uFEFF${content}`))
    const { createHash } = await import('node:crypto')
    const digest = createHash('sha256').update(`\uFEFF${content}`).digest('hex')
    expect((await api.get('/api/declarations')).json.declarations).toMatchObject([{ digest }])
  })
})

describe('apply fails', () => {
  test('on a file with mistakes: file, line and column of each; the call was wrong', async () => {
    await using data = folder()
    await using _api = await serving(data)
    const file = written(data, 'pools:\n  - name: A\n    listn: 1\n')
    const { error } = await apply(data, file)
    expect(error).toMatchObject({
      source: 'settings',
      message: `${file}:2:11: pools[0].name must be 1 to 63 of a-z, 0-9 and "-".\n${file}:3:5: "listn" is no key of pools[0]; did you mean "listen"?`,
    })
  })

  test('where the rules refuse it: with its place', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'other', server_names: ['a.example'] })
    const file = written(data, content)
    const { error } = await apply(data, file)
    expect(error).toMatchObject({ source: 'network', message: expect.stringContaining(`${file}:3:19: Pool "other" already claims "a.example".`) })
  })

  test('without a server, and says how to get one', async () => {
    await using data = folder()
    const { error } = await apply(data, written(data, content))
    expect(error).toMatchObject({ code: 'no_server', message: expect.stringContaining('it takes one to apply a file') })
  })

  test('without the file', async () => {
    await using data = folder()
    await using _api = await serving(data)
    expect((await apply(data, join(data.path, 'nothing.yaml'))).error).toMatchObject({ code: 'file_unreadable', message: expect.stringContaining('ENOENT') })
    expect((await apply(data, data.path)).error).toMatchObject({ code: 'file_unreadable', message: expect.stringContaining('EISDIR') })
  })

  test('on bytes that are no UTF-8', async () => {
    await using data = folder()
    await using _api = await serving(data)
    expect((await apply(data, written(data, Uint8Array.of(0xff)))).error).toMatchObject({ code: 'declaration_invalid' })
  })
})
