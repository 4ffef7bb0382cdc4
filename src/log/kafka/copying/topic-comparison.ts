import { leafHash } from '../../../../events/chain.ts'
import { ChainCheck } from '../../../../events/chain-check.ts'
import { Fault } from '../../../core/errors.ts'
import type { StoredRecord } from '../../event-log.ts'
import type { FetchedMessage } from '../connection/fetch-client.ts'
import { linkOf } from '../reading/own-records.ts'
import { endsOfTopic, readPatiently, type WholeTopic } from '../reading/patient-reader.ts'

/** Looks whether a topic holds records of a log and nothing else: in their order, from the first one on, byte for byte. */

export interface ComparedTopic extends WholeTopic {
  /** Where all of the records belong; the other partitions have to be empty. */
  readonly partition: number
  readonly onCompared: (messages: number) => void
}

/** How far the topic has the log. */
export interface Beginning {
  readonly records: number
  /** Leaf hash of the last of them; null: there is none. */
  readonly lastHash: string | null
}

/** Throws a `Fault` (`topic_not_empty`) at the first message that is not the next record, nor a repeat of one before. */
export async function compareTopic(at: ComparedTopic, records: AsyncIterable<readonly StoredRecord[]>): Promise<Beginning> {
  const { onCompared, partition, topic } = at
  const { earliest, latest } = await endsOfTopic(at)
  const other = [...latest].find(([each, end]) => each !== partition && end > (earliest.get(each) ?? 0))
  if (other !== undefined) throw notEmpty(topic, other[0], earliest.get(other[0]) ?? 0, 'there, where none of the log belongs')
  await using ours = new Records(records)
  const check = new ChainCheck()
  const found = { records: 0, lastHash: null as string | null }
  for await (const { messages } of readPatiently(at, new Map([[partition, earliest.get(partition) ?? 0]]))) {
    for (const message of messages) {
      const hash = message.value === null ? null : leafHash(message.value)
      const isRepeat = judgedRepeat(check, message, hash)
      const next = await ours.peek()
      if (next !== null && next.leafHash === hash) {
        ours.pass()
        found.records += 1
        found.lastHash = hash
      } else if (!isRepeat) throw notEmpty(topic, partition, message.offset, next === null ? 'behind the last record of the log' : `where record ${found.records} of the log belongs`)
    }
    onCompared(messages.length)
  }
  return found
}

/** A send that broke off may have landed late: every reader drops what it has seen. */
function judgedRepeat(check: ChainCheck, { value }: FetchedMessage, hash: string | null): boolean {
  const link = value === null ? null : linkOf(value)
  return link !== null && hash !== null && check.judge(link, hash) === 'duplicate'
}

function notEmpty(topic: string, partition: number, offset: number, where: string): Fault {
  return new Fault(
    'topic_not_empty', 'log',
    `the topic ${topic} is not empty: the message at offset ${offset} of partition ${partition} stands ${where}. A log is copied into empty ` +
      'topics, or into those where an earlier copy of the same folder broke off. Choose another --topic-prefix.',
  )
}

/** Records one by one. */
class Records implements AsyncDisposable {
  readonly #batches: AsyncIterator<readonly StoredRecord[], unknown>
  #batch: readonly StoredRecord[] = []
  #index = 0

  constructor(batches: AsyncIterable<readonly StoredRecord[]>) {
    this.#batches = batches[Symbol.asyncIterator]()
  }

  /** Null: there are no more. */
  async peek(): Promise<StoredRecord | null> {
    while (this.#index >= this.#batch.length) {
      const next: IteratorResult<readonly StoredRecord[], unknown> = await this.#batches.next()
      if (next.done === true) return null
      this.#batch = next.value
      this.#index = 0
    }
    return this.#batch[this.#index]!
  }

  pass(): void {
    this.#index += 1
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batches.return?.()
  }
}
