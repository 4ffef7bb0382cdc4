import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from './children.ts'
import type { MeasureName, Options, TargetName } from './options.ts'
import type { Running, Target } from './targets.ts'
import type { BackendCounts, BackendMode } from './workers/backend.ts'
import type { Round } from './workers/client.ts'
import { clientFinish } from './workers/payload.ts'

/** What every measure is given, and the pieces that more than one of them needs. */

/** One row of the report. */
export interface Metric {
  readonly key: string
  readonly label: string
  readonly digits: number
  /** Whether the ratio to HAProxy says something. */
  readonly ratio: boolean
  /** The aim of issue 3, section 6, as text, and whether a figure and its ratio meet it. */
  readonly aim?: { readonly text: string; readonly met: (value: number, ratio: number | null) => boolean }
}

export interface Bench {
  readonly options: Options
  readonly hello: Buffer
  /** Installed targets, in this round's order. */
  readonly targets: readonly Target[]
  readonly temporary: string
  record(target: TargetName, key: string, value: number): void
  /** Runs for one target: what it throws is kept as that target's failure, and the others go on. */
  attempt(target: TargetName, run: () => Promise<void>): Promise<void>
  /** Something that this machine can't do; said once, and in the report. */
  skip(line: string): void
  say(line: string): void
}

export interface Measure {
  readonly name: MeasureName
  readonly metrics: readonly Metric[]
  run(bench: Bench): Promise<void>
}

/** CPU that belongs to the work but comes a little after its last byte: closing records, timers. */
export const trailingWorkMs = 500

/**
 * With one backend, connections in TIME_WAIT fill the local ports towards it, and what is measured is how the kernel looks
 * for a free one.
 */
const backends = 4

/** A fresh client, proxy and raw backend; counts connections, so that the proxy's records can be held against them. */
export class Line implements AsyncDisposable {
  readonly client: Worker
  readonly backend: Worker
  readonly proxy: Running
  readonly #helloBytes: number
  readonly #stack: AsyncDisposableStack
  #connections = 0

  private constructor(client: Worker, backend: Worker, proxy: Running, helloBytes: number, stack: AsyncDisposableStack) {
    this.client = client
    this.backend = backend
    this.proxy = proxy
    this.#helloBytes = helloBytes
    this.#stack = stack
  }

  /** Ready when one whole connection went through. */
  static async open(bench: Bench, target: Target): Promise<Line> {
    await using stack = new AsyncDisposableStack()
    const client = stack.use(new Worker('client.ts'))
    const backend = stack.use(new Worker('backend.ts'))
    const hello = bench.hello.toString('base64')
    await client.ask('hello', { hello })
    const ports = await backend.ask<number[]>('listen', { hello, count: backends })
    const proxy = stack.use(await target.start(ports, bench.temporary))
    const line = new Line(client, backend, proxy, bench.hello.length, stack.move())
    try {
      await line.short(1, 1)
    } catch (error) {
      await line[Symbol.asyncDispose]()
      throw error
    }
    return line
  }

  /** Many short connections; throws unless every one of them was right on both ends. */
  async short(count: number, parallel: number): Promise<Round> {
    await this.#backendDoes('reply')
    const round = await this.client.ask<Round>('short', { port: this.proxy.port, count, parallel })
    await this.#expectAll(round, count)
    return round
  }

  /** As `short`, but so many a second instead of as fast as it goes. */
  async paced(count: number, perSecond: number): Promise<Round> {
    await this.#backendDoes('reply')
    const round = await this.client.ask<Round>('paced', { port: this.proxy.port, count, perSecond })
    await this.#expectAll(round, count)
    return round
  }

  async openIdle(count: number, parallel: number): Promise<Round> {
    await this.#backendDoes('reply')
    const round = await this.client.ask<Round>('openIdle', { port: this.proxy.port, count, parallel })
    await this.#expectAll(round, count, clientFinish.length)
    return round
  }

  /** One transfer through one connection; resolves with seconds, checked byte for byte in number. */
  async bulk(upload: boolean, bytes: number): Promise<number> {
    await this.#backendDoes(upload ? 'upload' : 'download', bytes)
    const asked = { port: this.proxy.port, upload, bytes }
    const { seconds } = await this.client.ask<{ seconds: number }>('bulk', asked, 600_000)
    this.#connections += 1
    await delay(trailingWorkMs)
    const counts = await this.backend.ask<BackendCounts>('counts')
    const expected = upload ? bytes : 0
    if (counts.hellos !== 1 || counts.wrong !== 0 || counts.bytes !== expected) {
      throw new Error(`the backend saw ${JSON.stringify(counts)} instead of one hello and ${expected} bytes`)
    }
    return seconds
  }

  /** Ends the proxy and holds its records, if it writes any, against the connections made. */
  async finish(): Promise<void> {
    await this.proxy.finish(this.#connections)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async #backendDoes(mode: BackendMode, bytes = 0): Promise<void> {
    await this.backend.ask('mode', { mode, bytes })
  }

  /** `bytesEach`: what every client sends after its hello. */
  async #expectAll(round: Round, count: number, bytesEach = 0): Promise<void> {
    this.#connections += count
    await delay(trailingWorkMs)
    const { hellos, wrong, bytes } = await this.backend.ask<BackendCounts>('counts')
    if (round.completed === count && hellos === count && wrong === 0 && bytes === count * bytesEach) return
    throw new Error(
      `of ${count} connections ${round.completed} were right at the client (${JSON.stringify(round.failures)}) and ` +
        `${hellos} at the backend, which saw ${wrong} wrong ones and ${bytes} bytes after the hello of ${this.#helloBytes}`,
    )
  }
}
