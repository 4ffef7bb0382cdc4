/** The oracle of the property tests: one input has one verdict, however it is cut and whatever lies beside it in memory. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { HelloVerdict } from '../../src/proxy/hello/parser.ts'
import { cut } from './tls-hellos.ts'
import { judge, judgeByteByByte, judgeChunks } from './tls-hellos-judge.ts'

/** Sizes of records or chunks, taken in turn. */
export const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 })), {
  minLength: 1,
  maxLength: 6,
})

export function sameForEveryCut(wire: Buffer, chunkSizes: readonly number[]): HelloVerdict {
  const verdict = judge(wire)
  expect(judgeByteByByte(wire)).toEqual(verdict)
  expect(judgeChunks(cut(wire, chunkSizes))).toEqual(verdict)
  expect(judge(inForeignMemory(wire, 0x00))).toEqual(verdict)
  expect(judgeChunks(cut(inForeignMemory(wire, 0xff), chunkSizes))).toEqual(verdict)
  return verdict
}

/** The same bytes with foreign bytes on both sides in the same memory: whoever reads past an end reads those. */
function inForeignMemory(bytes: Uint8Array, fill: number): Uint8Array {
  const memory = Buffer.alloc(bytes.length + 600, fill)
  memory.set(bytes, 300)
  return memory.subarray(300, 300 + bytes.length)
}
