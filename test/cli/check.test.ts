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
  const { error, exits, file, out } = await check('settings: {peek_timeout_ms: 1}\npools:\n  - {name: a, backends: [{url: "https://x"}, {url: "https://y"}]}\n')
  expect({ error, exits, out }).toEqual({ error: null, exits: [], out: `${file} is valid: 1 pool, 2 backends, 1 setting\n` })
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
  ['settings that contradict each other', 'settings: {api: "0.0.0.0:1"}\n', ':1:17: api: 0.0.0.0:1 is not a loopback address.'],
])('conflicts within the file: %s', async (_what, text, sentence) => {
  const { exits, file, out } = await check(text)
  expect(exits).toEqual([1])
  expect(out.startsWith(`${file}${sentence}`)).toBe(true)
})

test('--json: one object', async () => {
  const { exits, file, out } = await check('pools:\n  - name: A\n', '--json')
  expect(exits).toEqual([1])
  expect(objects(out)).toEqual([{ file, valid: false, problems: [{ line: 2, column: 11, sentence: expect.any(String) }] }])
  expect(objects((await check('pools: []\n', '--json')).out)).toEqual([{ file: expect.any(String), valid: true, problems: [] }])
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
