import { expect } from 'vitest'
import { topicNames } from '../../../src/log/kafka/topics/topic-rules.ts'
import type { Stream } from '../../../events/define.ts'
import { kafkaClient, topicRecords, withoutRepeats, type TopicRecord } from './logs.ts'

/** What has to hold of a topic whatever happened, and ways to put into it what no node would. */

/** Every source has each number once, from 0 without a gap, whatever was sent again; answers the records without repeats. */
export async function expectWhole(brokers: readonly string[], prefix: string, stream: Stream): Promise<TopicRecord[]> {
  const all = await topicRecords(brokers, prefix, stream)
  const texts = new Map<string, string>()
  for (const { sequence, source, text } of all) {
    const key = `${source} ${sequence}`
    expect(texts.get(key) ?? text, `two records are ${key}`).toBe(text)
    texts.set(key, text)
  }
  const once = withoutRepeats(all)
  const next = new Map<string, number>()
  for (const { sequence, source } of once) {
    expect(sequence, `the next of ${source}`).toBe(next.get(source) ?? 0)
    next.set(source, sequence + 1)
  }
  return once
}

export function labelsOf(records: readonly TopicRecord[], node?: string): string[] {
  return records.filter(({ source }) => node === undefined || source.includes(`/nodes/${node}/`)).map(({ label }) => label)
}

export interface RawMessage {
  readonly partition?: number
  readonly value: Buffer | string | null
}

export async function sendRaw(brokers: readonly string[], prefix: string, stream: Stream, messages: readonly RawMessage[]): Promise<void> {
  for (;;) {
    const producer = kafkaClient(brokers).producer()
    await producer.connect()
    try {
      await producer.send({ acks: -1, messages: messages.map(({ partition = 0, value }) => ({ partition, value })), topic: topicNames(prefix)[stream] })
      return
    } catch (error) {
      // A topic that was made anew a moment ago is not there for every broker yet; what was refused for that is not stored.
      if (!(error instanceof Error && /does not host this topic-partition/.test(error.message))) throw error
    } finally {
      await producer.disconnect()
    }
  }
}

export async function deleteTopic(brokers: readonly string[], prefix: string, stream: Stream): Promise<void> {
  const admin = kafkaClient(brokers).admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topicNames(prefix)[stream]] })
  await admin.disconnect()
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
