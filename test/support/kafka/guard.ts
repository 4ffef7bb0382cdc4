import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** Nothing that a test started outlives the process that ran the test, however that one ended. */

/** Until disposed: when this process is gone, even by SIGKILL, that one is ended and the folder removed. */
export function guard(pid: number, folder: string): Disposable {
  // The shell reads from this process, and meets the end when there is nobody left to write.
  const watcher = spawn('sh', ['-c', 'read -r _; kill -9 "$1"; rm -rf "$2"', 'sh', String(pid), folder], {
    // Apart from this process's group: Ctrl-C is for the group.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  const input = watcher.stdin as Socket
  input.on('error', () => {})
  input.unref()
  return { [Symbol.dispose]: () => void watcher.kill('SIGKILL') }
}
