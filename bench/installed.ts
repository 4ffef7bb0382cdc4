import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The other proxies as they are installed on this machine: where they are, which version, and nginx's stream module. */

/** Debian keeps servers where the path of an ordinary user does not lead. Throws when there is none. */
export function pathOf(command: string): string {
  return shell(`PATH=$PATH:/usr/local/sbin:/usr/sbin; command -v ${command}`).trim()
}

/** Null: not on this machine. */
export function haproxyVersion(): string | null {
  return versionOf('haproxy', '-v', /version (\S+)/)
}

/** Null: not on this machine, or without its stream module. */
export function nginxVersion(): string | null {
  return nginxModule() === null ? null : versionOf('nginx', '-v', /nginx\/(\S+)/)
}

/** The line that loads the stream module; empty when it is built in, null when there is none. */
export function nginxModule(): string | null {
  try {
    const built = shell(`${pathOf('nginx')} -V`)
    if (/--with-stream(?:\s|$)/m.test(built)) return ''
    const folder = /--modules-path=(\S+)/.exec(built)?.[1]
    if (folder === undefined) return null
    const path = join(folder, 'ngx_stream_module.so')
    return existsSync(path) ? `load_module ${path};` : null
  } catch {
    return null
  }
}

function versionOf(command: string, flag: string, pattern: RegExp): string | null {
  try {
    return pattern.exec(shell(`${pathOf(command)} ${flag}`))?.[1] ?? null
  } catch {
    return null
  }
}

function shell(line: string): string {
  // nginx prints its version to stderr.
  return execFileSync('sh', ['-c', `exec 2>&1; ${line}`], { encoding: 'utf8' })
}
