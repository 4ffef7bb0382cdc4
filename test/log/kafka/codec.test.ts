import kafkajs from 'kafkajs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { codecNumbers, registerCodecs } from '../../../src/log/kafka/connection/codec.ts'

registerCodecs()

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

function codecOf(type: number): Codec {
  return (kafkajs.CompressionCodecs as Readonly<Record<number, () => Codec>>)[type]!()
}

const records = Buffer.from('{"type":"dev.waybill.connection.closed.v1"}\n'.repeat(1_000))

describe.each([['gzip', gzipSync], ['zstd', zstdCompressSync]] as const)('%s', (name, compressed) => {
  const codec = codecOf(codecNumbers[name])

  test('gives back what it was given, and makes it smaller', async () => {
    const packed = await codec.compress({ buffer: records })
    expect(packed.length).toBeLessThan(records.length / 10)
    expect(await codec.decompress(packed)).toEqual(records)
  })
  test('reads what others compressed', async () => {
    expect(await codec.decompress(compressed(records))).toEqual(records)
  })
  test('a few bytes that unfold without end are refused', async () => {
    await expect(codec.decompress(compressed(Buffer.alloc(65 * 1024 * 1024)))).rejects.toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' })
  })
  test('damaged bytes are refused', async () => {
    await expect(codec.decompress(Buffer.from('not compressed at all'))).rejects.toThrow(/\w/)
  })
})

test.each([['snappy', kafkajs.CompressionTypes.Snappy], ['lz4', kafkajs.CompressionTypes.LZ4]])('%s is named as what no node reads', (name, type) => {
  expect(() => codecOf(type)).toThrow(expect.objectContaining({
    code: 'kafka_codec_unknown', message: expect.stringContaining(`compressed with ${name}`) as string,
  }) as Error)
})

test('the numbers are those of the protocol', () => {
  expect(codecNumbers).toEqual({ gzip: 1, none: 0, zstd: 4 })
})
