/** Records whole TLS conversations of real clients and servers at a TCP relay between them, in the order of its chunks. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Segment } from './tls-conversations-play.ts'

export interface RecordedConversation {
  readonly segments: readonly Segment[]
  /** What the client printed, if it is one that prints. */
  readonly printed: string
}

/** Listens, passes on to `port` and records. One connection is recorded at a time. */
export async function recordingRelay(port: number): Promise<{ port: number; take(): Segment[]; close(): void }> {
  let segments: Segment[] = []
  const relay = net.createServer(client => {
    const into = segments
    const backend = net.connect(port, '127.0.0.1')
    client.on('data', (bytes: Buffer) => {
      into.push({ by: 'client', bytes })
      backend.write(bytes)
    })
    backend.on('data', (bytes: Buffer) => {
      into.push({ by: 'backend', bytes })
      client.write(bytes)
    })
    client.on('end', () => backend.end()).on('error', () => backend.destroy())
    backend.on('end', () => client.end()).on('error', () => client.destroy())
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    port: (relay.address() as net.AddressInfo).port,
    take: () => {
      const taken = segments
      segments = []
      return taken
    },
    close: () => relay.close(),
  }
}

/** Keys and certificates of a test file, in a folder that goes with it. */
export class Certificates implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'waybill-tls-'))

  constructor() {
    this.#make('rsa', ['-newkey', 'rsa:2048'])
    this.#make('ecdsa', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'])
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  args(kind: 'rsa' | 'ecdsa'): string[] {
    return ['-key', this.file(`${kind}.key`), '-cert', this.file(`${kind}.crt`)]
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true })
  }

  #make(kind: string, how: readonly string[]): void {
    const files = ['-keyout', this.file(`${kind}.key`), '-out', this.file(`${kind}.crt`)]
    execFileSync('openssl', ['req', '-x509', ...how, '-nodes', '-days', '2', '-subj', '/CN=api.example', ...files], { stdio: 'ignore' })
  }
}

/** A process that hangs fails its test and does not outlive it. */
const processTimeoutMs = 20_000

/** An `openssl s_server` and a recording relay before it. */
export class OpensslServer implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #relay: Awaited<ReturnType<typeof recordingRelay>>

  static async start(args: readonly string[]): Promise<OpensslServer> {
    const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', ...args], { timeout: processTimeoutMs })
    const port = Number((await printedBy(child, /ACCEPT \S*:(\d+)/))[1])
    return new OpensslServer(child, await recordingRelay(port))
  }

  private constructor(child: ChildProcess, relay: Awaited<ReturnType<typeof recordingRelay>>) {
    this.#child = child
    this.#relay = relay
  }

  /** Runs `openssl s_client` until it is connected, and then has it leave in an orderly way. */
  async converse(args: readonly string[]): Promise<RecordedConversation> {
    return await this.#run(args, async printed => {
      await printed(/Verify return code/)
    })
  }

  /** The same, and waits for the session, which TLS 1.3 sends late, to be in this file. */
  async converseForSession(file: string, args: readonly string[] = []): Promise<RecordedConversation> {
    return await this.#run(['-sess_out', file, ...args], async () => {
      // What it prints of a ticket stays in its buffer; the file does not.
      while (!existsSync(file) || !/END SSL SESSION PARAMETERS-+\n/.test(readFileSync(file, 'latin1'))) await delay(5)
    })
  }

  async #run(args: readonly string[], until: (printed: (pattern: RegExp) => Promise<void>) => Promise<void>): Promise<RecordedConversation> {
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${this.#relay.port}`, ...args], { timeout: processTimeoutMs })
    const exited = once(client, 'close')
    let printed = ''
    let onPrinted = (): void => {}
    const print = (text: Buffer): void => {
      printed += text.toString('latin1')
      onPrinted()
    }
    client.stdout.on('data', print)
    client.stderr.on('data', print)
    client.stdin.on('error', () => {})
    const matched = (pattern: RegExp): Promise<void> =>
      new Promise(resolve => {
        onPrinted = () => {
          if (pattern.test(printed)) resolve()
        }
      })
    await Promise.race([exited, until(matched)])
    client.stdin.end('Q\n')
    await exited
    return { segments: this.#relay.take(), printed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#relay.close()
    this.#child.kill('SIGKILL')
    await once(this.#child, 'close')
  }
}

/** What a process prints, up to the first match. */
async function printedBy(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let printed = ''
  return await new Promise((resolve, reject) => {
    const print = (text: Buffer): void => {
      printed += text.toString('latin1')
      const match = pattern.exec(printed)
      if (match !== null) resolve(match)
    }
    child.stdout?.on('data', print)
    child.stderr?.on('data', print)
    child.once('close', () => reject(new Error(`openssl s_server ended: ${printed}`)))
  })
}

export interface PrintedFacts {
  readonly version: string
  /** IANA's name. */
  readonly cipher: string
  /** As s_client prints it; null where it prints none. */
  readonly group: string | null
  readonly resumed: boolean
}

/** What `s_client` says about the connection it made. */
export function printedFacts(printed: string): PrintedFacts {
  const [, how, version, cipher] = /^(New|Reused), (\S+), Cipher is (\S+)$/m.exec(printed) ?? []
  if (how === undefined || version === undefined || cipher === undefined) throw new Error(`no connection in: ${printed}`)
  const negotiated = /^ +Protocol *: (\S+)$/m.exec(printed)?.[1] ?? version
  return {
    version: negotiated,
    cipher: opensslCiphers().find(known => known.name === cipher)?.standard ?? cipher,
    group: /^Server Temp Key: (.+)$/m.exec(printed)?.[1] ?? null,
    resumed: how === 'Reused',
  }
}

export interface OpensslCipher {
  readonly code: number
  readonly standard: string
  readonly name: string
}

let ciphers: readonly OpensslCipher[] | null = null

/** Every suite that the installed openssl knows, with the number on the wire and IANA's name. */
export function opensslCiphers(): readonly OpensslCipher[] {
  ciphers ??= execFileSync('openssl', ['ciphers', '-V', '-stdname', 'ALL:COMPLEMENTOFALL:eNULL:aNULL:@SECLEVEL=0'], { encoding: 'utf8' })
    .split('\n')
    .flatMap(line => {
      const [, high, low, standard, name] = /^ *0x(..),0x(..) - (\S+) +- (\S+)/.exec(line) ?? []
      return high && low && standard && name ? [{ code: Number.parseInt(high + low, 16), standard, name }] : []
    })
  return ciphers
}
