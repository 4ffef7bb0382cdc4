import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { rawRecords, root, startWaybill, TemporaryFolder } from '../support/waybill.ts'

/** The README, command by command as it is printed; only ports, and the backend that nobody has, are others. */

const run = promisify(execFile)
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** Lines of the `sh` blocks; one that goes on is one command. */
function commands(): string[] {
  const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!)
  return blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')).map((line) => line.trim()).filter((line) => line !== '')
}

const elsewhere = ['npm ci && npm start', 'npm ci && npm test', 'npm run demo']

test('every command of the README does what it is there for', async () => {
  using folder = new TemporaryFolder()
  const server = createServer(certificate('app.example.com'), (_request, response) => response.end('hello\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using _server = { [Symbol.asyncDispose]: async () => void server.close() }
  const backend = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await using waybill = await startWaybill(join(folder.path, 'data'))
  const here = (command: string): string =>
    command
      .replaceAll('backend1.internal:8443', backend)
      .replaceAll('http://localhost:4000', waybill.api)
      .replaceAll('8443', String(waybill.port))
      .replace('npm run --silent waybill --', `${process.execPath} ${join(root, 'src', 'main.ts')}`)

  const found = commands()
  expect(found.filter((command) => elsewhere.includes(command))).toEqual(elsewhere)
  const outputs = new Map<string, string>()
  for (const command of found.filter((one) => !elsewhere.includes(one))) {
    const { stdout } = await run('bash', ['-c', `set -o pipefail; ${here(command)}`], { cwd: folder.path }).catch((error: unknown) => {
      throw new Error(`${command}: ${String(error)}`)
    })
    outputs.set(command, stdout)
  }
  const outputOf = (part: string): string => [...outputs].find(([command]) => command.includes(part))?.[1] ?? `nothing has ${part}`
  expect(outputOf('https://app.example.com:8443')).toBe('hello\n')
  expect(outputOf('events --json')).toContain('dev.waybill.connection.opened.v1')
  expect(outputOf('state --revision 1')).toContain('secure-app')
  expect(outputOf('diff --from 1')).toContain('round_robin')
  expect(outputOf('/metrics')).toContain(`waybill_connections_opened_total{pool="secure-app",backend="${backend}"} 1\n`)
  expect(outputOf('trail pools/secure-app')).toContain('drained; open connections go on')
  expect(rawRecords(waybill.data, 'control').map(({ data, type }) => [type.replace(/^dev\.waybill\.|\.v1$/g, ''), data['change']['ticket']])).toEqual([
    ['pool.created', null], ['backend.added', null], ['pool.changed', 'CHG-1'], ['backend.drained', 'CHG-2'], ['backend.resumed', null],
  ])
}, 90_000)
