/** nginx, HAProxy and Waybill with the same routes to the same backends, each as a process of its own on 127.0.0.1. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { haproxyVersion, nginxModule, nginxVersion, pathOf } from '../../bench/installed.ts'
import { startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'
import { defaultPlace, type Place, type Routes } from './hellos.ts'

export interface Proxy extends AsyncDisposable {
  readonly label: string
  readonly port: number
}

export interface Peer {
  readonly label: string
  readonly packages: string
  /** Null: not installed. */
  version(): string | null
  start(routes: Routes, backends: ReadonlyMap<Place, number>): Promise<Proxy>
}

/** How long the others wait for a hello to be complete. Waybill runs with its own defaults. */
const peekTimeoutMs = 3_000
const startTimeoutMs = 20_000
const retryMs = 50

/** With buffers for the longest hello of a run, and refusing what nginx could not read, which would be an empty name. */
const nginx: Peer = {
  label: 'nginx',
  packages: 'nginx libnginx-mod-stream',
  version: nginxVersion,
  start: (routes, backends) =>
    startPeer('nginx', 'nginx.conf', (port, folder) => ({
      text: `${nginxModule() ?? ''}
daemon off;
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
stream {
  map_hash_bucket_size 1024;
  map_hash_max_size 65536;
  map $ssl_preread_server_name $by_name {
    default ${defaultPlace};
${lines(routes, ([name, place]) => `    ${name} ${place};`)}
  }
  map $ssl_preread_protocol $pool { "" ""; default $by_name; }
${lines(backends, ([place, to]) => `  upstream ${place} { server 127.0.0.1:${to} max_fails=0; }`)}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ssl_preread on;
    preread_buffer_size 128k;
    preread_timeout ${peekTimeoutMs}ms;
    proxy_pass $pool;
    access_log off;
  }
}
`,
      args: ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')],
    })),
}

/** With a buffer for the longest hello of a run. */
const haproxy: Peer = {
  label: 'HAProxy',
  packages: 'haproxy',
  version: haproxyVersion,
  start: (routes, backends) =>
    startPeer('haproxy', 'haproxy.cfg', (port, folder) => {
      const map = join(folder, 'names.map')
      writeFileSync(map, lines(routes, ([name, place]) => `${name} ${place}`))
      return {
        text: `global
  maxconn 4096
  nbthread 1
  tune.bufsize 131072
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend shared
  bind 127.0.0.1:${port} backlog 4096
  tcp-request inspect-delay ${peekTimeoutMs}ms
  tcp-request content accept if { req.ssl_hello_type 1 }
  tcp-request content reject
  use_backend %[req.ssl_sni,lower,map(${map},${defaultPlace})]
  default_backend ${defaultPlace}
${lines(backends, ([place, to]) => `backend ${place}\n  server only 127.0.0.1:${to}`)}
`,
        args: ['-db', '-q', '-f', join(folder, 'haproxy.cfg')],
      }
    }),
}

export const peers: readonly Peer[] = [nginx, haproxy]

interface Setup {
  readonly text: string
  readonly args: readonly string[]
}

async function startPeer(command: string, file: string, setUp: (port: number, folder: string) => Setup): Promise<Proxy> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(new TemporaryFolder())
  const port = await freePort()
  const { text, args } = setUp(port, folder.path)
  writeFileSync(join(folder.path, file), text)
  const child = spawn(pathOf(command), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'exit')
  stack.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  for (let waitedMs = 0; !(await accepts(port)); waitedMs += retryMs) {
    if (child.exitCode !== null || waitedMs > startTimeoutMs) throw new Error(`${command} does not start: ${said.trim()}`)
    await delay(retryMs)
  }
  const owned = stack.move()
  return { label: command, port, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** The pools and their backends made over the API, as an operator would. */
export async function startProxyOfOurs(data: string, routes: Routes, backends: ReadonlyMap<Place, number>): Promise<RunningWaybill> {
  const waybill = await startWaybill(data)
  try {
    for (const [place, port] of backends) {
      const names = [...routes].filter(([, to]) => to === place).map(([name]) => name)
      const pool = place === defaultPlace ? { name: place, default_route: true } : { name: place, server_names: names }
      await expectCreated(await waybill.post('/api/pools', pool))
      await expectCreated(await waybill.post(`/api/pools/${place}/backends`, { url: `https://127.0.0.1:${port}` }))
    }
    return waybill
  } catch (error) {
    await waybill.kill()
    throw error
  }
}

async function expectCreated(response: Response): Promise<void> {
  if (response.status !== 201) throw new Error(`${response.url} was answered with ${response.status}: ${await response.text()}`)
}

function lines<Item>(items: Iterable<Item>, line: (item: Item) => string): string {
  return Array.from(items, line).join('\n')
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
