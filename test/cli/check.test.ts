import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { checkCommand } from '../../src/cli/check.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { folder, objects, run, type Ran } from './harness.ts'

type Checked = Ran & { readonly file: string; readonly exits: readonly number[] }

async function check(text: string, ...argv: string[]): Promise<Checked> {
  await using data = folder()
  const file = join(data.path, 'waybill.yaml')
  writeFileSync(file, text)
  const exits: number[] = []
  const ran = await run((ports) => checkCommand({ ...ports, disk: systemDisk, exit: (code) => exits.push(code) }), [...argv, file])
  return { ...ran, exits, file }
}

test('a file without a problem: what is in it', async () => {
  const { error, exits, file, out } = await check('settings: {peek_timeout_ms: 1}\npools:\n  - {name: a, backends: [{url: "https://x"}, {url: "https://y"}]}\nlisteners: {shared: {no_sni: {pool: a}}}\n')
  expect({ error, exits, out }).toEqual({ error: null, exits: [], out: `${file} is valid: 1 pool, 2 backends, 1 listener, 1 setting\n` })
})

test('mistakes of form, one a line, and exit 1', async () => {
  const { error, exits, file, out } = await check('pools:\n  - name: A\n    listn: 1\n')
  expect({ error, exits }).toEqual({ error: null, exits: [1] })
  expect(out).toBe(`${file}:2:11: pools[0].name must be 1 to 63 of a-z, 0-9 and "-".\n${file}:3:5: "listn" is no key of pools[0]; did you mean "listen"?\n`)
})

test.each([
  ['two pools with one name', 'pools:\n  - {name: a, server_names: [x.example]}\n  - {name: b, server_names: [x.example]}\n', ':3:29: Pool "a" already claims "x.example".'],
  ['a URL that is none', 'pools:\n  - {name: a, backends: [{url: "ftp://x"}]}\n', ':2:32: url: the scheme is "ftp"'],
  ['a pool on the port of its own file', 'settings: {listen: "[::]:9443"}\npools:\n  - {name: a, listen: 9443}\n', ':3:23: [::]:9443 collides with the shared listener'],
  ['plaintext for a pool that takes TLS only', 'listeners: {shared: {not_tls: {pool: a}}}\npools: [{name: a}]\n', ':1:38: Pool "a" takes TLS only'],
  ['a listener of a pool without an address', 'listeners: {pools/a: {no_sni: refuse}}\npools: [{name: a}]\n', ':1:22: There is no listener "pools/a"'],
  ['settings that contradict each other', 'settings: {api: "0.0.0.0:1"}\n', ':1:17: api: 0.0.0.0:1 is not a loopback address.'],
])('conflicts within the file: %s', async (_what, text, sentence) => {
  const { exits, file, out } = await check(text)
  expect(exits).toEqual([1])
  expect(out.startsWith(`${file}${sentence}`)).toBe(true)
})

test('pools that the API or another file may have made are notes, in the order of the file, each once', async () => {
  const text = 'listeners:\n  shared: {no_sni: {pool: x}, not_tls: {pool: y}, timeout: refuse}\n  pools/z: {sslv2: {pool: a}, timeout: {pool: x}}\npools: [{name: a, listen: 9443}]\n'
  const { exits, file, out } = await check(text)
  expect(exits).toEqual([])
  const note = (place: string, pool: string) => `${file}:${place}: Note: pool "${pool}" is not in this file; apply checks that it exists and is what its listeners need.\n`
  expect(out).toBe(`${file} is valid: 1 pool, 0 backends, 2 listeners, 0 settings\n${note('2:27', 'x')}${note('2:47', 'y')}${note('3:12', 'z')}`)
  const [object] = objects((await check('listeners: {shared: {no_sni: {pool: x}}}\n', '--json')).out)
  expect(object).toMatchObject({ valid: true, problems: [], notes: [{ line: 1, column: 37, sentence: expect.stringContaining('"x"') }] })
})

test('beside such pools, what the file itself gets wrong is found all the same', async () => {
  const { exits, file, out } = await check('listeners:\n  pools/z: {sslv2: {pool: x}, not_tls: {pool: a}}\n  pools/a: {timeout: refuse}\npools: [{name: a}]\n')
  expect(exits).toEqual([1])
  expect(out.split('\n').map((line) => line.replace(file, '').slice(0, 40))).toEqual([
    ':2:47: Pool "a" takes TLS only, so clien', ':3:12: There is no listener "pools/a": t', ':2:12: Note: pool "z" is not in this fil', ':2:27: Note: pool "x" is not in this fil', '',
  ])
})

test('--json: one object', async () => {
  const { exits, file, out } = await check('pools:\n  - name: A\n', '--json')
  expect(exits).toEqual([1])
  expect(objects(out)).toEqual([{ file, valid: false, problems: [{ line: 2, column: 11, sentence: expect.any(String) }], notes: [] }])
  expect(objects((await check('pools: []\n', '--json')).out)).toEqual([{ file: expect.any(String), valid: true, problems: [], notes: [] }])
})

test('the path is printed as it was typed, and what a terminal would obey is not', async () => {
  await using data = folder()
  const file = relative(process.cwd(), join(data.path, 'waybill.yaml'))
  writeFileSync(file, 'pools: []\n"\\e[31m": 1\n')
  const ran = await run((ports) => checkCommand({ ...ports, disk: systemDisk, exit: () => {} }), [file])
  expect(ran.out).toContain(`${file}:2:1: "\\x1b[31m" is no key of the file`)
})

test('a file that is not there', async () => {
  const ran = await run((ports) => checkCommand({ ...ports, disk: systemDisk, exit: () => {} }), ['/nowhere/waybill.yaml'])
  expect(ran.error).toMatchObject({ code: 'file_unreadable', message: 'the declaration file /nowhere/waybill.yaml can\'t be read: ENOENT' })
})
