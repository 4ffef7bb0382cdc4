import { Session } from 'node:inspector'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { HelloParser } from '../../../src/proxy/hello/parser.ts'
import { extension, helloMessage, records, serverName } from '../../support/tls-hellos.ts'

/**
 * The work for a hello grows with its bytes, also where they come one at a time: counted, not timed. V8 counts how often
 * each block of the parser's source ran, and a spy the bytes that were copied, which is done in no block of ours.
 */

interface Work {
  readonly steps: number
  readonly copiedBytes: number
}

const session = new Session()

beforeAll(() => {
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
})
afterAll(() => session.disconnect())

function workFor(wire: Buffer, chunkBytes: number): Work {
  const parser = new HelloParser({ helloBytesMax: 1 << 20, recordsMax: Infinity })
  const spy = vi.spyOn(Uint8Array.prototype, 'set')
  stepsSinceLast()
  let kind = ''
  for (let at = 0; at < wire.length; at += chunkBytes) kind = parser.push(wire.subarray(at, at + chunkBytes)).kind
  const steps = stepsSinceLast()
  const copiedBytes = spy.mock.calls.reduce((sum, [source]) => sum + source.length, 0)
  spy.mockRestore()
  expect(kind).toBe('hello')
  return { steps, copiedBytes }
}

function stepsSinceLast(): number {
  let steps = 0
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error
    for (const script of result) {
      if (!script.url.includes('/src/proxy/hello/')) continue
      for (const { ranges } of script.functions) for (const { count } of ranges) steps += count
    }
  })
  return steps
}

const helloOf = (bytes: number) => helloMessage({ extensions: [serverName('a.example'), extension(21, Buffer.alloc(bytes))] })

test.each([
  ['in 1-byte records, byte by byte', [1], 1],
  ['in full records, byte by byte', [16_384], 1],
  ['in 1-byte records, in one chunk', [1], Infinity],
  ['in 64-byte records, in chunks of 100', [64], 100],
])('twice the hello is twice the work %s', (_how, recordSizes, chunkBytes) => {
  const work = (bytes: number) => workFor(records(helloOf(bytes), recordSizes), chunkBytes)
  const [small, large] = [work(32_000), work(64_000)]
  expect(small.steps).toBeGreaterThan(100)
  expect(large.steps / small.steps).toBeLessThan(2.1)
  expect(large.copiedBytes).toBeLessThan(3 * 64_000)
})

test('the counter sees work that is quadratic', () => {
  const quadratic = (bytes: number) => {
    const wire = records(helloOf(bytes), [64])
    let steps = 0
    for (let end = 64; end < wire.length; end += 64) {
      stepsSinceLast()
      new HelloParser({ helloBytesMax: 1 << 20, recordsMax: Infinity }).push(wire.subarray(0, end))
      steps += stepsSinceLast()
    }
    return steps
  }
  expect(quadratic(4_000) / quadratic(2_000)).toBeGreaterThan(3)
})

test('a byte of a hello in records of one byte, which is six on the wire, takes a bounded number of steps', () => {
  const message = helloOf(3_900)
  expect(workFor(records(message, [1]), 1).steps / (6 * message.length)).toBeLessThan(40)
})
