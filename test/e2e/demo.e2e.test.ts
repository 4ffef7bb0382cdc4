import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoBlock, maskedDemo } from '../support/demo-output.ts'
import { root, runWaybill, spawnWaybill } from '../support/waybill.ts'

/** What a visitor runs first: it has to work, say the same every time, and leave nothing behind. */

const readme = demoBlock(readFileSync(join(root, 'README.md'), 'utf8'))

function leftBehind(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('waybill-demo-'))
}

describe('waybill demo', () => {
  test('tells its story and leaves nothing behind', async () => {
    const before = leftBehind()
    const { code, stderr, stdout } = await runWaybill(['demo'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(maskedDemo(stdout)).toBe(story)
    expect(stdout).not.toContain('\u001b')
    expect(leftBehind().filter((name) => !before.includes(name))).toEqual([])
  })

  test('SIGINT ends it early, with everything that it started', async () => {
    const before = leftBehind()
    const child = spawnWaybill(['demo'])
    let said = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      const begun = said.includes('1. Create')
      said += chunk.toString()
      if (!begun && said.includes('1. Create')) child.kill('SIGINT')
    })
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).toBe(1)
    expect(said).toMatch(/Interrupted\. Everything is stopped and removed again\./)
    expect(leftBehind().filter((name) => !before.includes(name))).toEqual([])
  })

  test('is what the README shows', () => {
    expect(maskedDemo(readme ?? 'the README has no block between demo markers')).toBe(story)
  })
})

const opened = 'TIME  connection.opened       connections/ID  by=127.0.0.1'
const story = `Backends A (127.0.0.1:PORT) and B (127.0.0.1:PORT) have throw-away certificates for app.demo.example.
Waybill takes clients on 127.0.0.1:PORT and API calls on 127.0.0.1:PORT; its log is in FOLDER.

1. Create a pool with both backends, by the REST API:
   POST /api/pools {"name":"demo","algorithm":"round_robin","server_names":["app.demo.example"],"backends":[{"url":"https://127.0.0.1:PORT"},{"url":"https://127.0.0.1:PORT"}],"change":{"ticket":"DEMO-1","reason":"first pool"}}
   It is on record as revision 1, and in force.

2. Send 6 HTTPS requests through the proxy, trusting the backends' own certificates and nobody else:
   hello from backend A (TLSv1.3)
   hello from backend B (TLSv1.3)
   hello from backend A (TLSv1.3)
   hello from backend B (TLSv1.3)
   hello from backend A (TLSv1.3)
   hello from backend B (TLSv1.3)
   Each was encrypted from this client to the backend: the proxy read the server name and passed the bytes on.

3. Stop backend A, and send 4 more:
   hello from backend B (TLSv1.3)
   hello from backend B (TLSv1.3)
   hello from backend B (TLSv1.3)
   hello from backend B (TLSv1.3)
   No client noticed. On record: 127.0.0.1:PORT failed with ECONNREFUSED, so backend B was dialled instead.

4. Drain backend A, then look up what was different before:
   GET /api/diff?from=1&to=2: ~ backends/demo/127.0.0.1:PORT  state: active -> draining
   GET /api/state?revision=1: in force since TIME, and backend A was active.

5. What is on record of the changes, and of the last connection:
   TIME  pool.created            pools/demo  by=loopback  revision=1
   TIME  backend.drained         backends/demo/127.0.0.1:PORT  by=loopback  revision=2
   ${opened}
   TIME  connection.closed       connections/ID  by=127.0.0.1  outcome=finished
   2 changes and 20 records of connections, each with the hash of the one before it.

6. The statistics are folded out of the same records:
   Backend A (draining): 3 connections, N bytes to clients
   Backend B (active): 7 connections, N bytes to clients

That is all. Everything is stopped and removed again. Next: npm start, and the first pool of the README.
`
