/** Plays conversations to a HandshakeWatch, whole or cut into any pieces, as its owner on the data path would. */
import { expect } from 'vitest'
import { type TlsFacts, HandshakeWatch, type WatchTerms, type WatchVerdict } from '../../src/proxy/tls/handshake-watch.ts'
import { cut } from './tls-hellos.ts'
import { judgeChunks } from './tls-hellos-judge.ts'

export interface Segment {
  readonly by: 'backend' | 'client'
  readonly bytes: Uint8Array
}

export interface Outcome {
  readonly verdict: WatchVerdict | null
  readonly facts: TlsFacts
  readonly done: boolean
}

export const anyTerms: WatchTerms = { sessionId: null, minTlsVersion: null, plaintextAllowed: false }

export function backend(...parts: readonly Uint8Array[]): Segment {
  return { by: 'backend', bytes: Buffer.concat(parts) }
}

export function client(...parts: readonly Uint8Array[]): Segment {
  return { by: 'client', bytes: Buffer.concat(parts) }
}

/** Ends at a verdict; goes on after `done`, which must then change nothing. */
export function play(segments: readonly Segment[], terms: WatchTerms = anyTerms): Outcome {
  const watch = new HandshakeWatch(terms)
  let kept: TlsFacts | null = null
  for (const { by, bytes } of segments) {
    // Lent: what is kept of it would be seen to change.
    const lent = Uint8Array.from(bytes)
    const verdict = by === 'backend' ? watch.fromBackend(lent) : watch.fromClient(lent)
    lent.fill(0xee)
    if (watch.done) kept ??= watch.facts()
    if (kept !== null) expect(watch.facts()).toEqual(kept)
    if (verdict === null) continue
    expect(watch.done).toBe(true)
    expect(by === 'backend' ? watch.fromBackend(bytes) : watch.fromClient(bytes)).toBe(verdict)
    return { verdict, facts: watch.facts(), done: true }
  }
  return { verdict: null, facts: watch.facts(), done: watch.done }
}

/** Every segment in pieces of the given sizes; who speaks when stays. */
export function cutSegments(segments: readonly Segment[], sizes: readonly number[]): Segment[] {
  return segments.flatMap(({ by, bytes }) => cut(bytes, sizes).map(piece => ({ by, bytes: piece })))
}

/** The terms of the client's own hello. */
export function termsOf(segments: readonly Segment[], more: Partial<WatchTerms> = {}): WatchTerms {
  const verdict = judgeChunks(segments.filter(({ by }) => by === 'client').map(({ bytes }) => bytes))
  if (verdict.kind !== 'hello') throw new Error(`the client began with ${verdict.kind}`)
  const earlyDataOffered = verdict.hello.extensions.includes(0x2a)
  return { ...anyTerms, sessionId: verdict.hello.sessionId, earlyDataOffered, ...more }
}

/**
 * The plaintext handshake records of the backend before its first other record, in records of other sizes: only the
 * framing changes.
 */
export function reframed(segments: readonly Segment[], sizes: readonly number[]): Segment[] {
  const wire = Buffer.concat(segments.filter(({ by }) => by === 'backend').map(({ bytes }) => bytes))
  let end = 0
  const payloads: Buffer[] = []
  while (end + 5 <= wire.length && wire[end] === 0x16 && end + 5 + wire.readUInt16BE(end + 3) <= wire.length) {
    payloads.push(wire.subarray(end + 5, end + 5 + wire.readUInt16BE(end + 3)))
    end += 5 + wire.readUInt16BE(end + 3)
  }
  const framed = cut(Buffer.concat(payloads), sizes).map(piece => Buffer.concat([Buffer.from([0x16, 3, 3, piece.length >> 8, piece.length & 0xff]), piece]))
  // What the backend said last stands behind all of it, so that nobody answers before the question.
  const whole = [...framed, wire.subarray(end)]
  const first = segments.findIndex(({ by }) => by === 'backend')
  return [
    ...segments.slice(0, first),
    ...whole.map(bytes => ({ by: 'backend' as const, bytes })),
    ...segments.slice(first).filter(({ by }) => by === 'client'),
  ]
}

/** Every conversation is also played byte by byte; a flood, in pieces that fit nothing. */
export function outcome(segments: readonly Segment[], terms: Partial<WatchTerms> = {}): Outcome {
  const all = { ...anyTerms, ...terms }
  const whole = play(segments, all)
  const pieceBytes = segments.some(({ bytes }) => bytes.length > 20_000) ? 997 : 1
  expect(play(cutSegments(segments, [pieceBytes]), all)).toEqual(whole)
  return whole
}
