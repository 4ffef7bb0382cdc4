import { Partitioners } from 'kafkajs'
import type { Stream } from '../../../../events/define.ts'

/** Which partition holds which node, as every Kafka client computes it from the key. */
export class Partitions {
  readonly counts: Readonly<Record<Stream, number>>
  readonly #partitioner = Partitioners.DefaultPartitioner()

  constructor(counts: Readonly<Record<Stream, number>>) {
    this.counts = counts
  }

  readonly of = (stream: Stream, node: string): number => {
    if (stream === 'control') return 0
    const partitionMetadata = Array.from({ length: this.counts[stream] }, (_, partitionId) => ({
      isr: [], leader: 0, partitionErrorCode: 0, partitionId, replicas: [],
    }))
    return this.#partitioner({ message: { key: node, value: null }, partitionMetadata, topic: stream })
  }
}
