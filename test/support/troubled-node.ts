import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TlsOptions } from 'node:tls'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { tlsEcho, type Peer } from './peers.ts'
import { rawRecords, root, runWaybill, startWaybill, TemporaryFolder, type RawRecord, type RunningWaybill } from './waybill.ts'

/** A running node whose failures docs/troubleshooting.md is to explain, and the commands of that page. */

const run = promisify(execFile)

/** The server name of the page. */
export const name = 'pay.example.com'
export const page = readFileSync(join(root, 'docs', 'troubleshooting.md'), 'utf8')

/** What stands on the page for something that only a test run has. */
interface Stands {
  readonly backend?: string
  readonly connection?: string
}

export class TroubledNode implements AsyncDisposable {
  readonly waybill: RunningWaybill
  /** What a test needs besides, until the node ends. */
  readonly stack: AsyncDisposableStack

  private constructor(waybill: RunningWaybill, stack: AsyncDisposableStack) {
    this.waybill = waybill
    this.stack = stack
  }

  static async start(): Promise<TroubledNode> {
    const stack = new AsyncDisposableStack()
    const folder = stack.use(new TemporaryFolder())
    return new TroubledNode(stack.use(await startWaybill(folder.path, ['--dial-timeout-ms', '1000', '--peek-timeout-ms', '2000'])), stack)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync()
  }

  /** Runs the page's `waybill` lines of one section, and gives back all that they print. */
  async commandsOf(section: string, { backend = '10.0.4.11:8443', connection = 'none' }: Stands = {}): Promise<string> {
    const [, text] = page.split(`\n## ${section}\n`)
    const lines = [...text!.split('\n## ')[0]!.matchAll(/^waybill .+$/gm)].map(([line]) => line)
    expect(lines.length, section).toBeGreaterThan(0)
    const printed: string[] = []
    for (const line of lines) {
      const actual = line.replace('10.0.4.11:8443', backend).replace('0199e3c1-7a52-7000-8000-000000000001', connection)
      const { code, stderr, stdout } = await runWaybill([...actual.split(' ').slice(1), '--data', this.waybill.data])
      // What the doctor finds is this machine's own affair.
      if (!line.startsWith('waybill doctor')) expect(code, `${line}: ${stderr}`).toBe(0)
      printed.push(stdout)
    }
    return printed.join('\n')
  }

  /** A pool of the page's name, with these backends. */
  async payments(ports: readonly number[], fields: object = {}): Promise<void> {
    const backends = ports.map((port) => ({ url: `https://127.0.0.1:${port}` }))
    const created = await this.waybill.post('/api/pools', {
      name: 'payments', backends, server_names: [name], algorithm: 'round_robin', health_check_interval: 3_600_000, ...fields,
    })
    expect(created.status).toBe(201)
  }

  async untilUp(count: number): Promise<void> {
    await this.until('operations', ({ data, type }) => type.endsWith('health.changed.v1') && data['to'] === 'up', count)
  }

  /** Waits for the records that match to be so many. */
  async until(stream: string, matches: (record: RawRecord) => boolean, count = 1): Promise<RawRecord[]> {
    for (;;) {
      const found = rawRecords(this.waybill.data, stream).filter(matches)
      if (found.length >= count) return found
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  closings(count = 1): Promise<RawRecord[]> {
    return this.until('connections', ({ type }) => type.endsWith('.closed.v1'), count)
  }

  refusals(count = 1): Promise<RawRecord[]> {
    return this.until('connections', ({ type }) => type.endsWith('.refused.v1'), count)
  }

  /** A handshake by openssl. What it says on standard error; whether it worked is for the records to say. */
  async handshake(args: readonly string[] = [], serverName: readonly string[] = ['-servername', name]): Promise<string> {
    const asked = run('openssl', ['s_client', '-connect', `127.0.0.1:${this.waybill.port}`, ...serverName, ...args])
    asked.child.stdin!.end()
    const { stderr } = (await asked.catch((error: unknown) => error)) as { readonly stderr: string }
    return stderr
  }

  /** What the proxy answers to these bytes until it closes. */
  async spoken(bytes: Buffer): Promise<Buffer> {
    const socket = connect(this.waybill.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.write(bytes)
    await once(socket, 'close')
    return Buffer.concat(chunks)
  }

  async tlsBackend(options: TlsOptions = {}): Promise<Peer> {
    return this.stack.use(await tlsEcho('backend', options))
  }
}
