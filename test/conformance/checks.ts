/** The three properties of the vectors' README and the labels, asked of one vector. Whoever calls it judges the findings. */
import { ja4 } from '../../src/proxy/hello/ja4.ts'
import type { HelloVerdict } from '../../src/proxy/hello/parser.ts'
import { bytesUntilVerdict, judge, judgeChunks, unframed } from '../support/tls-hellos-judge.ts'
import type { Expected, Vector } from '../support/tls-hellos-vectors.ts'
import { type Delivery, deliveriesOf } from './deliveries.ts'
import type { Finding } from './findings.ts'
import { forwarded } from './forwarding.ts'
import { labelled, read } from './words.ts'

/** Up to this size a parser of its own judges every strict prefix; above it, every 97th and all around record headers. */
const everyPrefixBytesMax = 20_000
/** Up to this size the data path gets the hello in two chunks for every place to cut it; above it, at every 37th. */
const everyCutBytesMax = 2000

/** A vector with all that is known of it. */
export interface Entry {
  readonly vector: Vector
  readonly wire: Buffer
  /** Its own, and for one that is another one re-cut also that one's. */
  readonly labels: Expected
  /** That other one: re-cut, it must still say the same. */
  readonly original: Buffer | null
}

export function mustBeRead(vector: Vector): boolean {
  return (vector.expected.status ?? 'ok') === 'ok' && vector.go_crypto_tls_error === undefined
}

/** Properties 1 and 2, and the labels. */
export function checkParsing(entry: Entry): Finding[] {
  const { vector, wire, labels } = entry
  if (!mustBeRead(vector)) return checkRefusal(vector, wire)
  const verdict = judge(wire)
  return [
    { column: 'status', expected: 'ok', got: statusOf(verdict) },
    ...deliveriesOf(vector, wire).flatMap(delivery => sameAnswer(delivery, verdict, labels)),
    ...silentPrefixes(wire),
    ...fieldsOf(entry, verdict),
  ]
}

/**
 * Property 3, which is the data path's: peeking consumes nothing, nothing passes before the record is there, and nothing
 * ever of what is no hello.
 */
export async function checkForwarding({ vector, wire }: Entry): Promise<Finding[]> {
  const findings: Finding[] = []
  const isHello = mustBeRead(vector)
  const ways = deliveriesOf(vector, wire)
    .filter(({ name }) => isHello || name !== '64 KiB after')
    .map(({ chunks }) => chunks)
  if (isHello) ways.push(...cutsInTwo(wire))
  for (const chunks of ways) {
    const { bytes, early } = await forwarded(chunks)
    const got = bytes === null ? nothing : comparison(Buffer.concat(chunks), bytes)
    const expected = isHello ? allReceived : nothing
    findings.push({ column: 'forwarded', expected, got: early === 0 ? got : `${early} bytes before the record` })
  }
  return findings
}

/** A vector that is no hello: refused as what it is, or waited for, the same however it was cut. */
function checkRefusal(vector: Vector, wire: Buffer): Finding[] {
  const expected = vector.go_crypto_tls_error === undefined ? vector.expected.status : 'malformed'
  const verdict = judge(wire)
  return [
    { column: 'status', expected, got: statusOf(verdict) },
    ...deliveriesOf(vector, wire)
      // What follows an incomplete hello may complete it.
      .filter(({ name }) => expected !== 'incomplete' || name !== '64 KiB after')
      .map(({ name, chunks }): Finding => ({ column: name, expected: verdict, got: judgeChunks(chunks) })),
  ]
}

/** In the words of the vectors. */
export function statusOf(verdict: HelloVerdict): string {
  if (verdict.kind === 'hello') return 'ok'
  return verdict.kind === 'sslv2' ? 'sslv2_hello' : verdict.kind
}

function sameAnswer({ name, chunks }: Delivery, whole: HelloVerdict, labels: Expected): Finding[] {
  const verdict = judgeChunks(chunks)
  const { sni } = labelled(labels)
  const got = verdict.kind === 'hello' ? verdict.hello.serverName : verdict
  const label: Finding[] = sni === undefined ? [] : [{ column: name, expected: sni, got }]
  return [...label, { column: name, expected: whole, got: verdict }]
}

/** Every strict prefix says nothing: as far as a parser has come byte by byte, and to a parser that gets it at once. */
function silentPrefixes(wire: Buffer): Finding[] {
  const loud = prefixesOf(wire).find(length => judge(wire.subarray(0, length)).kind !== 'incomplete')
  return [
    { column: 'prefixes', expected: wire.length, got: bytesUntilVerdict(wire) },
    { column: 'prefixes', expected: undefined, got: loud },
  ]
}

function prefixesOf(wire: Buffer): number[] {
  const lengths = Array.from({ length: wire.length }, (_, length) => length)
  if (wire.length <= everyPrefixBytesMax) return lengths
  return lengths.filter(length => length % 97 === 0 || length % 16_389 < 16 || length > wire.length - 16)
}

function fieldsOf({ vector, labels, original }: Entry, verdict: HelloVerdict): Finding[] {
  const expected = labelled(labels)
  if (verdict.kind !== 'hello') return [{ column: 'fields', expected, got: verdict }]
  const { hello } = verdict
  const findings: Finding[] = [
    { column: 'fields', expected, got: read(hello, expected) },
    { column: 'fields', expected: vector.handshake_message_bytes ?? hello.helloBytes, got: hello.helloBytes },
  ]
  if (original !== null) findings.push({ column: 'fields', expected: unframed(judge(original)), got: unframed(verdict) })
  const fingerprint = ja4(hello)
  const accepted = labels.ja4_alternatives ?? (typeof labels.ja4 === 'string' ? [labels.ja4] : [])
  if (accepted.length > 0) {
    findings.push({ column: 'JA4', expected: accepted.includes(fingerprint) ? fingerprint : accepted, got: fingerprint })
  }
  return findings
}

const allReceived = 'the bytes received'
const nothing = 'nothing'

function comparison(sent: Buffer, got: Buffer): string {
  if (got.equals(sent)) return allReceived
  const at = sent.findIndex((byte, index) => got[index] !== byte)
  return `${got.length} bytes of ${sent.length}, the same up to byte ${at === -1 ? sent.length : at}`
}

function cutsInTwo(wire: Buffer): Uint8Array[][] {
  const step = wire.length <= everyCutBytesMax ? 1 : 37
  const cuts: Uint8Array[][] = []
  for (let at = 1; at < Math.min(wire.length, everyPrefixBytesMax); at += step)
    cuts.push([wire.subarray(0, at), wire.subarray(at)])
  return cuts
}
