import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { Child, freePort, nodeBinary, TemporaryFolder, untilReady } from './children.ts'
import { serverName } from './hello.ts'
import type { Running, Target } from './targets.ts'

/** Waybill as a user starts it: the embedded log in a folder on a real disk, one pool made over the API. */

const root = join(import.meta.dirname, '..')
const entry = join(root, 'src', 'main.ts')

/** As `npm start` has it: most objects of a connection die young, and a larger nursery saves copying them. */
const heapFlags = ['--max-semi-space-size=64']

export const waybill: Target = {
  name: 'waybill',
  label: 'Waybill',
  setup: '`serve`, `least_connections`, with the embedded log on disk: two records per connection, the first one durable before a byte goes on',
  version: () => {
    if (!existsSync(entry)) return null
    return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
  },
  start: async (backendPorts, temporary) => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(new TemporaryFolder(temporary))
    const data = join(folder.path, 'data')
    const api = await freePort()
    const port = await freePort()
    const flags = ['serve', '--api', `127.0.0.1:${api}`, '--listen', `127.0.0.1:${port}`, '--data', data]
    const child = stack.use(Child.spawn(nodeBinary(), [...heapFlags, entry, ...flags]))
    await untilReady(child, async () => (await ask(api, 'GET', '/health/ready').catch(() => 0)) === 200)
    await create(api, '/api/pools', { name: 'bench', server_names: [serverName] })
    for (const to of backendPorts) await create(api, '/api/pools/bench/backends', { url: `https://127.0.0.1:${to}` })
    const owned = stack.move()
    return {
      port,
      pid: child.pid,
      finish: async (connections) => {
        await using _owned = owned
        if (!child.running) throw new Error(await child.ended)
        if (!(await child.stop())) throw new Error('waybill did not end by itself after SIGTERM')
        expectRecords(data, connections)
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    } satisfies Running
  },
}

/** Exactly one opened and one closed record for every connection that was made. */
function expectRecords(data: string, connections: number): void {
  const folder = join(data, 'connections')
  let opened = 0
  let closed = 0
  for (const name of readdirSync(folder)) {
    if (!/\.jsonl(?:\.zst)?$/.test(name)) continue
    const stored = readFileSync(join(folder, name))
    const lines = (name.endsWith('.zst') ? zstdDecompressSync(stored) : stored).toString('latin1').split('\n')
    for (const line of lines) {
      if (line.endsWith('"type":"dev.waybill.connection.opened.v1"}')) opened += 1
      else if (line.endsWith('"type":"dev.waybill.connection.closed.v1"}')) closed += 1
    }
  }
  if (opened === connections && closed === connections) return
  throw new Error(`${connections} connections were made, but ${opened} opened and ${closed} closed records are on disk`)
}

async function create(api: number, path: string, body: object): Promise<void> {
  const status = await ask(api, 'POST', path, body)
  if (status !== 201) throw new Error(`POST ${path} was answered with ${status}`)
}

function ask(port: number, method: string, path: string, body?: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', connection: 'close' }
    const asked = request({ host: '127.0.0.1', port, method, path, agent: false, ...(body ? { headers } : {}) })
    asked.on('error', reject)
    asked.on('response', (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    asked.end(body && JSON.stringify(body))
  })
}
