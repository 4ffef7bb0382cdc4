import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Expected, ownHellosFolder, type Vector } from '../support/tls-hellos-vectors.ts'
import { chromium, firefox } from './clients/browsers.ts'
import type { Client, Hello } from './clients/client.ts'
import { curl } from './clients/curl.ts'
import { go } from './clients/go.ts'
import { node } from './clients/node.ts'
import { openssl } from './clients/openssl.ts'
import { python } from './clients/python.ts'

/**
 * Makes test/fixtures/hellos anew with the clients that are installed:
 * `node test/conformance/capture.ts [CLIENT ...] [--ja4 FOLDER]`, where the folder is an installed read-tls-client-hello
 * (npm), whose JA4 then labels the hellos.
 */

const clients: readonly Client[] = [openssl, curl, node, go, python, chromium, firefox]
const { values, positionals } = parseArgs({ options: { ja4: { type: 'string' } }, allowPositionals: true })

/** What is used of read-tls-client-hello. */
interface Ja4Source {
  readonly getTlsFingerprintAsJa4: (stream: Readable) => Promise<string>
}

async function main(): Promise<void> {
  const ja4Source =
    values.ja4 === undefined ? null : ((await import(pathToFileURL(resolve(values.ja4, 'dist/index.js')).href)) as Ja4Source)
  for (const client of clients) {
    if (positionals.length > 0 && !positionals.includes(client.name)) continue
    if (client.version === null) {
      say(`${client.name}: not installed here, its hellos stay as they are`)
      continue
    }
    const scratch = mkdtempSync(join(tmpdir(), 'waybill-capture-'))
    try {
      const vectors: Vector[] = []
      for (const hello of await client.hellos(scratch)) vectors.push(await vectorOf(client, hello, ja4Source))
      const file = join(ownHellosFolder, `${client.name}.json`)
      writeFileSync(file, `${JSON.stringify({ client: client.name, version: client.version, vectors }, null, 1)}\n`)
      say(`${client.name}: ${vectors.length} hellos of ${client.version}`)
    } finally {
      rmSync(scratch, { recursive: true, force: true, maxRetries: 9 })
    }
  }
}

async function vectorOf(
  client: Client,
  { name, options, expected, caught }: Hello,
  ja4Source: Ja4Source | null,
): Promise<Vector & { options: string }> {
  const chunks = await caught()
  const wire = Buffer.concat(chunks)
  const recordLengths = recordLengthsOf(wire)
  const ja4 = ja4Source === null || recordLengths.length > 1 ? null : await ja4Of(wire, expected, ja4Source)
  return {
    id: `${client.name}/${name}`,
    options,
    tls_record_lengths: recordLengths,
    tcp_segment_lengths: chunks.map(({ length }) => length),
    expected: { status: 'ok', ...expected, ...(ja4 === null ? {} : { ja4 }) },
    hex: wire.toString('hex'),
  }
}

/** Null where it does not follow the description: any hello with supported_versions is TLS 1.3 to it. */
async function ja4Of(wire: Buffer, { tls_versions }: Expected, source: Ja4Source): Promise<string | null> {
  const stream = new PassThrough()
  stream.write(wire)
  const ja4 = await source.getTlsFingerprintAsJa4(stream)
  return ja4.startsWith('t13') && tls_versions?.includes('TLSv1.3') === false ? null : ja4
}

function recordLengthsOf(wire: Buffer): number[] {
  const lengths: number[] = []
  for (let at = 0; at < wire.length; at += 5 + wire.readUInt16BE(at + 3)) lengths.push(wire.readUInt16BE(at + 3))
  return lengths
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

await main()
