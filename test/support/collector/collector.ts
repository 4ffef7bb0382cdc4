import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { guard } from '../kafka/guard.ts'
import { freePort } from '../kafka/ports.ts'
import { root } from '../waybill.ts'
import { collectorBinary } from './binary.ts'

/** A running collector with the configuration of the documents, that a test may kill, pause and start again. */

export interface RunningCollector extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoints: { readonly grpc: string; readonly http: string }
  /** All that it was sent so far, one object for each export, in the order of arrival. */
  received(): Promise<readonly Received[]>
  /** SIGSTOP: what is sent to it waits in the system's buffers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** SIGKILL. */
  kill(): Promise<void>
  /** Again, on the same ports and file; resolves when it takes connections. */
  start(): Promise<void>
}

/** One line of the file exporter: an OTLP request of one signal in JSON. */
export interface Received {
  readonly resourceMetrics?: readonly unknown[]
  readonly resourceSpans?: readonly unknown[]
  readonly resourceLogs?: readonly unknown[]
}

export const collectorExample = join(root, 'docs', 'examples', 'otel-collector.yaml')
const startTimeoutMs = 30_000
const lookMs = 50

export async function startCollector(): Promise<RunningCollector> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-otelcol-'))
  const collector = new Collector(folder, await freePort(), await freePort())
  try {
    await collector.start()
    return collector
  } catch (error) {
    await collector[Symbol.asyncDispose]()
    throw error
  }
}

class Collector implements RunningCollector {
  readonly endpoints: RunningCollector['endpoints']
  readonly #folder: string
  readonly #ports: readonly number[]
  #child: ChildProcess | null = null

  constructor(folder: string, grpcPort: number, httpPort: number) {
    this.#folder = folder
    this.#ports = [grpcPort, httpPort]
    this.endpoints = { grpc: `http://127.0.0.1:${grpcPort}`, http: `http://127.0.0.1:${httpPort}` }
  }

  async start(): Promise<void> {
    const file = await collectorBinary()
    await writeFile(this.#overrides, this.#ownConfiguration())
    const output = openSync(this.#outputFile, 'a')
    const child = spawn(file, ['--config', collectorExample, '--config', this.#overrides], { cwd: this.#folder, stdio: ['ignore', output, output] })
    closeSync(output)
    if (child.pid === undefined) throw new Error(`${file} can't be run`)
    this.#child = child
    const watched = guard(child.pid, this.#folder)
    child.once('exit', () => watched[Symbol.dispose]())
    const untilMs = Date.now() + startTimeoutMs
    while (!(await Promise.all(this.#ports.map(takesConnections))).every(Boolean)) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > untilMs) {
        throw new Error(`the collector did not start:\n${await readFile(this.#outputFile, 'utf8')}`)
      }
      await wait(lookMs)
    }
  }

  async received(): Promise<readonly Received[]> {
    const text = await readFile(this.#receivedFile, 'utf8').catch(() => '')
    // What follows the last line break is still being written.
    return text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Received)
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }
  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.#folder, { force: true, recursive: true })
  }

  get #overrides(): string {
    return join(this.#folder, 'overrides.yaml')
  }
  get #outputFile(): string {
    return join(this.#folder, 'output.log')
  }
  get #receivedFile(): string {
    return join(this.#folder, 'received.jsonl')
  }

  #ownConfiguration(): string {
    const [grpc, http] = this.#ports
    return [
      'receivers:', '  otlp:', '    protocols:',
      '      grpc:', `        endpoint: 127.0.0.1:${grpc}`, '      http:', `        endpoint: 127.0.0.1:${http}`,
      // Not cut off when it starts again after it was killed.
      'exporters:', '  file:', `    path: ${JSON.stringify(this.#receivedFile)}`, '    append: true', '',
    ].join('\n')
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (takes: boolean): void => {
      socket.destroy()
      resolve(takes)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
