/** The ways in which the bytes of a vector are handed over: what a client, a network or an attacker may make of them. */
import { cut } from '../support/tls-hellos.ts'
import type { Vector } from '../support/tls-hellos-vectors.ts'

/** Columns of the table; each holds one or more ways to cut. */
export type DeliveryName = 'whole' | 'listed cuts' | 'byte by byte' | '64 KiB after'

export interface Delivery {
  readonly name: DeliveryName
  readonly chunks: readonly Uint8Array[]
}

const recordHeaderBytes = 5
export const trailingBytes = 65_536

/** Halves count as listed: every vector has them. */
export function deliveriesOf(vector: Vector, wire: Buffer): Delivery[] {
  const half = Math.ceil(wire.length / 2)
  const listed = [
    [half],
    vector.tls_record_lengths?.map(length => length + recordHeaderBytes),
    vector.tcp_segment_lengths,
    vector.expected.suggested_tcp_segments,
  ]
  return [
    { name: 'whole', chunks: [wire] },
    ...listed.flatMap(sizes => (sizes === undefined ? [] : [{ name: 'listed cuts', chunks: cut(wire, sizes) } as const])),
    { name: 'byte by byte', chunks: cut(wire, [1]) },
    // In the chunk that ends the hello, as more records, and in a chunk of its own.
    { name: '64 KiB after', chunks: [Buffer.concat([wire, Buffer.alloc(trailingBytes, 0x16)])] },
    { name: '64 KiB after', chunks: [...cut(wire, [half]), Buffer.alloc(trailingBytes)] },
  ]
}
