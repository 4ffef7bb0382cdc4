/** Pushes bytes into a HelloParser in chosen chunks, as the tests of the hello parser need it again and again. */
import { type HelloLimits, HelloParser, type HelloVerdict, helloBytesMaxDefault, helloRecordsMax } from '../../src/proxy/hello/parser.ts'
import type { ClientHello } from '../../src/proxy/hello/client-hello.ts'
import { cut } from './tls-hellos.ts'

export const limits: HelloLimits = { helloBytesMax: helloBytesMaxDefault, recordsMax: helloRecordsMax }

/** The verdict after all chunks. */
export function judgeChunks(chunks: Iterable<Uint8Array>, within: HelloLimits = limits): HelloVerdict {
  const parser = new HelloParser(within)
  let verdict: HelloVerdict = { kind: 'incomplete' }
  for (const chunk of chunks) verdict = parser.push(chunk)
  return verdict
}

export function judge(bytes: Uint8Array, within: HelloLimits = limits): HelloVerdict {
  return judgeChunks([bytes], within)
}

export function judgeByteByByte(bytes: Uint8Array, within: HelloLimits = limits): HelloVerdict {
  return judgeChunks(cut(bytes, [1]), within)
}

/** How many bytes it took, one at a time, until the verdict was no longer `incomplete`; all of them if it never was. */
export function bytesUntilVerdict(bytes: Uint8Array, within: HelloLimits = limits): number {
  const parser = new HelloParser(within)
  for (let at = 0; at < bytes.length; at++) {
    if (parser.push(bytes.subarray(at, at + 1)).kind !== 'incomplete') return at + 1
  }
  return bytes.length
}

export function helloOf(verdict: HelloVerdict): ClientHello {
  if (verdict.kind !== 'hello') throw new Error(`expected a hello, got ${JSON.stringify(verdict)}`)
  return verdict.hello
}

/** Without what depends on the framing, for comparing the same message in other records. */
export function unframed(verdict: HelloVerdict): unknown {
  if (verdict.kind !== 'hello') return verdict
  const { wireBytes: _wireBytes, recordCount: _recordCount, ...rest } = verdict.hello
  return rest
}
