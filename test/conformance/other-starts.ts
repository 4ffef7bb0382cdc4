/** First bytes that are no hello: sessions of other protocols, and what clients send before they turn to TLS. */
import { bytesUntilVerdict, judge, judgeByteByByte } from '../support/tls-hellos-judge.ts'
import type { FirstBytesVector, Vector } from '../support/tls-hellos-vectors.ts'
import { statusOf } from './checks.ts'
import type { Finding } from './findings.ts'
import { forwarded } from './forwarding.ts'
import { cut } from '../support/tls-hellos.ts'

/** SSLv2 has its marks up to the fourth byte; who says `not_tls` later has waited for nothing. */
const decidedBytesMax = 4

/** What the client says is not TLS; a server that speaks first says nothing that would be taken for a hello. */
export async function checkFirstBytes(vector: FirstBytesVector): Promise<Finding[]> {
  const first = Buffer.from(vector.first_bytes_hex, 'hex')
  if (vector.kind === 'client_first_not_tls') return refused(first)
  const answer = Buffer.from(vector.client_first_bytes_after_greeting_hex ?? '', 'hex')
  const greeting: Finding = { column: 'whole', expected: false, got: judge(first).kind === 'hello' }
  return answer.length === 0 ? [{ ...greeting, column: 'status' }, greeting] : [greeting, ...(await refused(answer))]
}

/** CONNECT, SOCKS, STARTTLS or SSLRequest, and then the hello: these bytes decide, and the hello is never looked for. */
export function checkPrefixed(vector: Vector, wire: Buffer): Promise<Finding[]> {
  return refused(Buffer.concat([Buffer.from(vector.prefix_hex ?? '', 'hex'), wire]))
}

async function refused(bytes: Buffer): Promise<Finding[]> {
  const verdict = judge(bytes)
  const decidedAt = bytesUntilVerdict(bytes)
  return [
    { column: 'status', expected: 'not_tls', got: statusOf(verdict) },
    { column: 'whole', expected: 'not_tls', got: statusOf(verdict) },
    { column: 'byte by byte', expected: verdict, got: judgeByteByByte(bytes) },
    { column: 'byte by byte', expected: true, got: decidedAt <= decidedBytesMax || `decided with byte ${decidedAt}` },
    { column: 'forwarded', expected: null, got: (await forwarded([bytes])).bytes },
    { column: 'forwarded', expected: null, got: (await forwarded(cut(bytes, [1]))).bytes },
  ]
}
