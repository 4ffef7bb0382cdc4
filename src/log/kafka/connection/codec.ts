import kafkajs from 'kafkajs'
import { promisify } from 'node:util'
import { gunzip, gzip, zstdCompress, zstdDecompress, type InputType } from 'node:zlib'
import { Fault } from '../../../core/errors.ts'

/** How batches are compressed: what kafkajs leaves to others, and bounds where it has none. */

export type Compression = 'none' | 'gzip' | 'zstd'

/** Kafka's number of each. */
export const codecNumbers: Readonly<Record<Compression, number>> = {
  gzip: kafkajs.CompressionTypes.GZIP, none: kafkajs.CompressionTypes.None, zstd: kafkajs.CompressionTypes.ZSTD,
}

/** A broker takes 1 MiB a batch unless told otherwise; a few bytes that unfold to gigabytes were not written by a node. */
const batchBytesMax = 64 * 1024 * 1024

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}
type Pack = (bytes: InputType) => Promise<Buffer>
type Unpack = (bytes: InputType, options: { readonly maxOutputLength: number }) => Promise<Buffer>

let registered = false

/** For the whole process, also for those who only read; doing it again does nothing. */
export function registerCodecs(): void {
  if (registered) return
  registered = true
  const { CompressionCodecs: codecs, CompressionTypes: types } = kafkajs
  // In the thread pool: the event loop has clients to serve.
  codecs[types.GZIP] = () => codec(promisify(gzip), promisify(gunzip))
  codecs[types.ZSTD] = () => codec(promisify(zstdCompress), promisify(zstdDecompress))
  codecs[types.Snappy] = () => unreadable('snappy')
  codecs[types.LZ4] = () => unreadable('lz4')
}

function codec(pack: Pack, unpack: Unpack): Codec {
  return {
    compress: ({ buffer }) => pack(buffer),
    decompress: (bytes) => unpack(bytes, { maxOutputLength: batchBytesMax }),
  }
}

function unreadable(name: string): never {
  throw new Fault(
    'kafka_codec_unknown', 'log',
    `a batch of the topic is compressed with ${name}, which Waybill does not read (it reads gzip and zstd). No node writes so: ` +
      'look for another producer, or for compression.type in the settings of the topic, and set that to producer.',
  )
}
