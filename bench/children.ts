import { fork, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Every process and folder that the benchmark makes, so that none outlives it: ended by pid, also after Ctrl-C.
 */

const stopWaitMs = 30_000
const stderrKeptChars = 4_000
const owned = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', endEverything)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

function endEverything(): void {
  for (const child of owned) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** A process of its own: a proxy under test. */
export class Child implements AsyncDisposable {
  readonly pid: number
  /** Resolves when it has ended, however. */
  readonly ended: Promise<string>
  readonly #process: ChildProcess
  #stderr = ''

  constructor(child: ChildProcess) {
    if (child.pid === undefined) throw new Error(`${child.spawnfile} does not start`)
    this.pid = child.pid
    this.#process = child
    owned.add(child)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrKeptChars)
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        owned.delete(child)
        resolve(`${child.spawnfile} ended (${signal ?? `exit ${code}`}) ${this.#stderr.trim()}`)
      })
    })
  }

  static spawn(command: string, args: readonly string[]): Child {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.on('error', () => {})
    return new Child(child)
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** SIGTERM, and SIGKILL when that is not enough. Resolves false when it had to be killed. */
  async stop(): Promise<boolean> {
    if (!this.running) return true
    this.#process.kill('SIGTERM')
    using waiting = new AbortOnDispose()
    const late = delay(stopWaitMs, 'late', { signal: waiting.signal }).catch(() => 'late')
    if ((await Promise.race([this.ended, late])) !== 'late') return true
    this.#process.kill('SIGKILL')
    await this.ended
    return false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** One of our own worker files (workers/) in its own process, asked over IPC, one question at a time. */
export class Worker implements AsyncDisposable {
  readonly child: Child
  readonly #process: ChildProcess

  constructor(file: string, args: readonly string[] = []) {
    this.#process = fork(join(import.meta.dirname, 'workers', file), args, {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      execPath: nodeBinary(),
    })
    this.child = new Child(this.#process)
  }

  get pid(): number {
    return this.child.pid
  }

  async ask<Answer>(question: string, parameters: object = {}, timeoutMs = 120_000): Promise<Answer> {
    using waiting = new AbortOnDispose()
    const answered = new Promise<{ answer: Answer } | { error: string }>((resolve) => {
      this.#process.once('message', resolve as (message: unknown) => void)
    })
    this.#process.send({ question, parameters }, () => {})
    const timedOut = { error: `no answer to "${question}" in ${timeoutMs / 1000} s` }
    const late = delay(timeoutMs, timedOut, { signal: waiting.signal })
    const reply = await Promise.race([
      answered,
      this.child.ended.then((how) => ({ error: how })),
      late.catch(() => ({ error: 'aborted' })),
    ])
    if ('error' in reply) throw new Error(reply.error)
    return reply.answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop()
  }
}

/** Aborts its signal at the end of the block, so that a timer that lost the race does not linger. */
class AbortOnDispose implements Disposable {
  readonly #controller = new AbortController()
  get signal(): AbortSignal {
    return this.#controller.signal
  }
  [Symbol.dispose](): void {
    this.#controller.abort()
  }
}

/** A folder that is gone, with its content, at the end of the block or of the process. */
export class TemporaryFolder implements Disposable {
  readonly path: string
  constructor(parent: string) {
    this.path = mkdtempSync(join(parent, 'waybill-bench-'))
    folders.add(this.path)
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })
    folders.delete(this.path)
  }
}

/** A port on 127.0.0.1 that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port to be had on 127.0.0.1')
  return address.port
}

/** Asks `ready` until it says true; throws when the process ends or the time is up before that. */
export async function untilReady(child: Child, ready: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await ready())) {
    if (!child.running) throw new Error(await child.ended)
    if (performance.now() > deadline) throw new Error(`not ready after ${timeoutMs / 1000} s`)
    await delay(50)
  }
}

/** The project's own Node, which `npm run` puts first in the path; else the one that runs this. */
export function nodeBinary(): string {
  return process.execPath
}
