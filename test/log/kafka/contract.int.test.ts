import { setTimeout as wait } from 'node:timers/promises'
import { describe } from 'vitest'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { eventLogContract } from '../../contracts/event-log.ts'
import { breakable } from '../../support/breakable-disk.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** The Kafka log keeps the contract of every log, with a real broker behind it. */

const patienceMs = 3_000

/** A turn of its time lasts until what is written is in Kafka, and what is there was read back. */
class BrokerPacedClock extends ManualClock {
  log: KafkaLog | null = null

  override async settled(): Promise<void> {
    await super.settled()
    const untilMs = Date.now() + patienceMs
    while (this.log !== null && this.log.backlog().records > 0 && Date.now() < untilMs) await wait(2)
    let head = this.log?.head('control')
    for (;;) {
      await wait(8)
      if (this.log?.head('control') === head) return
      head = this.log?.head('control')
    }
  }
}

describe.skipIf(kafkaMissing() !== null)(`Kafka log${kafkaMissing() === null ? '' : ` (skipped: ${kafkaMissing()})`}`, () => {
  eventLogContract(async () => {
    const clock = new BrokerPacedClock()
    const disk = new MemoryDisk()
    // Until it is open its time goes on by itself: a broker may ask for a moment.
    const going = setInterval(() => clock.advance(20), 20)
    const log = await openKafkaLog({ brokers: sharedBrokers(), clock, disk, prefix: freshPrefix() })
    clearInterval(going)
    clock.log = log
    return { clock, log, ...breakable(disk) }
  })
})
