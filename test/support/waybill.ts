import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { zstdDecompressSync } from 'node:zlib'

/** Waybill as users run it: a process of its own, started from the sources, ended by its id. */

export const root = join(import.meta.dirname, '..', '..')

export interface RunningWaybill extends AsyncDisposable {
  readonly pid: number
  readonly data: string
  /** `http://127.0.0.1:port` */
  readonly api: string
  readonly port: number
  /** Lines of the program's own log so far. */
  readonly lines: string[]
  post(path: string, body: object): Promise<Response>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
  /** Resolves with the exit code when it has ended, for whatever reason. */
  readonly ended: Promise<number | null>
}

export class TemporaryFolder implements Disposable {
  readonly path: string
  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'waybill-'))
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })
  }
}

/**
 * Starts `waybill serve` on free ports and waits until it is ready. Rejects with what it said when it ends instead.
 * `under`: a program and its arguments, which then runs it in the same process.
 */
export async function startWaybill(data: string, flags: readonly string[] = [], under: readonly string[] = []): Promise<RunningWaybill> {
  const child = spawnWaybill(['serve', '--data', data, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0', ...flags], under)
  const lines: string[] = []
  let failure = ''
  child.stderr!.on('data', (chunk: Buffer) => (failure += chunk.toString()))
  const ready = Promise.withResolvers<{ api: string; listen: string }>()
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line)
    const said = JSON.parse(line) as { message: string; api: string; listen: string }
    if (said.message === 'ready') ready.resolve(said)
  })
  child.once('exit', (code) => ready.reject(new Error(`waybill ended with ${code}: ${failure}${lines.join('\n')}`)))
  const { api, listen } = await ready.promise
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    child.kill(signal)
    return ended
  }
  return {
    pid: child.pid!,
    data,
    api: `http://${api}`,
    port: Number(listen.slice(listen.lastIndexOf(':') + 1)),
    lines,
    post: (path, body) => fetch(`http://${api}${path}`, { method: 'POST', body: JSON.stringify(body) }),
    ended,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  }
}

export function spawnWaybill(args: readonly string[], under: readonly string[] = []): ChildProcess {
  const [program, ...words] = [...under, process.execPath, join(root, 'src', 'main.ts'), ...args]
  return spawn(program!, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs a verb to its end; `under` as for `startWaybill`. */
export async function runWaybill(args: readonly string[], under: readonly string[] = []): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnWaybill(args, under)
  let [stdout, stderr] = ['', '']
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

export interface RawRecord {
  readonly type: string
  readonly sequence: string
  readonly prevhash: string
  readonly run: string
  /** Of changes only. */
  readonly revision?: number
  // A test looks into records of every type.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: Record<string, any>
}

/**
 * Every record of a stream, straight from the files and by nothing of ours: names in order, zstd where it says so, one
 * JSON object a line.
 */
export function rawRecords(data: string, stream: string): RawRecord[] {
  return rawLines(data, stream).map((line) => JSON.parse(line) as RawRecord)
}

export function rawLines(data: string, stream: string): string[] {
  const folder = join(data, stream)
  const names = readdirSync(folder).filter((name) => /^\d{20}\.jsonl(\.zst)?$/.test(name)).sort()
  const lines: string[] = []
  for (const name of names) {
    // A segment counts up to where the next one begins.
    lines.length = Math.min(lines.length, Number(name.slice(0, 20)))
    const bytes = readFileSync(join(folder, name))
    const text = (name.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString()
    const end = text.lastIndexOf('\n')
    if (end > 0) for (const line of text.slice(0, end).split('\n')) lines.push(line)
  }
  return lines
}
