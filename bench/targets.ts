import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Child, freePort, TemporaryFolder, untilReady } from './children.ts'
import { serverName } from './hello.ts'
import { haproxyVersion, nginxModule, nginxVersion, pathOf } from './installed.ts'
import { descriptorsMax } from './machine.ts'
import type { TargetName } from './options.ts'

/** What stands between client and backend. Each start is a fresh process that ends with the block that took it. */

export interface Running extends AsyncDisposable {
  /** Where the client connects, on 127.0.0.1. */
  readonly port: number
  /** Null: there is no process between client and backend. */
  readonly pid: number | null
  /** Ends it and throws when it did not do what it had to for so many connections. */
  finish(connections: number): Promise<void>
}

export interface Target {
  readonly name: TargetName
  readonly label: string
  /** One line on how it is set up, for the report. */
  readonly setup: string
  /** Null: not on this machine. */
  version(): string | null
  /** Every port on 127.0.0.1 is one backend of the pool. */
  start(backendPorts: readonly number[], temporary: string): Promise<Running>
}

/** A proxy needs two descriptors per connection, and some for itself. */
export const connectionsMax = Math.min(9_000, Math.floor((descriptorsMax() - 500) / 2))

export const direct: Target = {
  name: 'direct',
  label: 'direct',
  setup: 'no proxy: what client and backend can do on this machine',
  version: () => '',
  start: (backendPorts) =>
    Promise.resolve({
      port: backendPorts[0]!,
      pid: null,
      finish: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
}

export const haproxy: Target = {
  name: 'haproxy',
  label: 'HAProxy',
  setup: '`mode tcp`, `nbthread 1`, `balance leastconn`, routed by `req.ssl_sni` after `req.ssl_hello_type 1`, no logging',
  version: haproxyVersion,
  start: (backendPorts, temporary) =>
    startConfigured(temporary, (port) => ({
      file: 'haproxy.cfg',
      text: `global
  maxconn ${connectionsMax}
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
frontend shared
  bind 127.0.0.1:${port} backlog 4096
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  tcp-request content reject
  use_backend bench if { req.ssl_sni -i ${serverName} }
backend bench
  balance leastconn
${backendPorts.map((to) => `  server backend-${to} 127.0.0.1:${to}`).join('\n')}
`,
      command: (path) => [pathOf('haproxy'), ['-db', '-q', '-f', path]],
    })),
}

export const nginx: Target = {
  name: 'nginx',
  label: 'nginx',
  setup: '`stream`, `master_process off`, `least_conn`, `ssl_preread on`, routed by `$ssl_preread_server_name`, `proxy_half_close on`',
  version: nginxVersion,
  start: (backendPorts, temporary) =>
    startConfigured(temporary, (port) => ({
      file: 'nginx.conf',
      text: `${nginxModule() ?? ''}
daemon off;
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid nginx.pid;
error_log stderr error;
events { worker_connections ${2 * connectionsMax + 200}; }
stream {
  map $ssl_preread_server_name $pool { ${serverName} bench; }
  upstream bench { least_conn; ${backendPorts.map((to) => `server 127.0.0.1:${to};`).join(' ')} }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ssl_preread on;
    proxy_pass $pool;
    proxy_timeout 10m;
    proxy_half_close on;
    access_log off;
  }
}
`,
      command: (path, folder) => [pathOf('nginx'), ['-p', folder, '-e', 'stderr', '-c', path]],
    })),
}

interface Configured {
  readonly file: string
  readonly text: string
  readonly command: (path: string, folder: string) => readonly [string, readonly string[]]
}

async function startConfigured(temporary: string, configure: (port: number) => Configured): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(new TemporaryFolder(temporary))
  const port = await freePort()
  const { file, text, command } = configure(port)
  const path = join(folder.path, file)
  writeFileSync(path, text)
  const child = stack.use(Child.spawn(...command(path, folder.path)))
  await untilReady(child, () => accepts(port))
  const owned = stack.move()
  return {
    port,
    pid: child.pid,
    finish: async () => {
      if (!child.running) throw new Error(await child.ended)
      await owned.disposeAsync()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
