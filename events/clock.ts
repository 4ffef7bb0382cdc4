import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { Count, Milliseconds, Time } from './values.ts'

/** How far the times in a node's records can be trusted (PCI DSS 10.6): its clock beside the brokers', and its jumps. */

export const ClockObserved = defineEvent({
  type: 'dev.waybill.clock.observed.v1',
  stream: 'operations',
  summary: 'The clock of this node beside that of the Kafka brokers: at first, every hour, and when it leaves or enters what is allowed.',
  subject: 'clock',
  audit: nodeAudit({ at: 'data.within' }),
  data: z.strictObject({
    allowed_ms: Count.meta({ description: 'The most that the clocks may differ.' }),
    skew_ms: z.int().meta({ description: 'Milliseconds that this node is ahead of the brokers; negative: behind.' }),
    uncertainty_ms: Count.meta({ description: 'The most that skew_ms is wrong by, in milliseconds.' }),
    within: z.boolean().meta({ description: 'False: certainly further off than allowed; this node takes no changes until it is back.' }),
  }),
  examples: [{ allowed_ms: 2_000, skew_ms: -3, uncertainty_ms: 4, within: true }],
})

export const ClockStepped = defineEvent({
  type: 'dev.waybill.clock.stepped.v1',
  stream: 'operations',
  summary: 'The clock of this node jumped: it was set, or the machine slept. Times of its records before and after do not compare.',
  subject: 'clock',
  audit: nodeAudit({ always: 'warning' }),
  data: z.strictObject({
    by_ms: z.int().meta({ description: 'Milliseconds forward; negative: back.' }),
    from: Time.meta({ description: 'What the clock would have said when the jump was noticed.' }),
    noticed_after_ms: Milliseconds.meta({ description: 'The jump was at most so long before it was noticed.' }),
    to: Time.meta({ description: 'What it said.' }),
  }),
  examples: [{ by_ms: -3_600_000, from: '2026-11-24T09:00:00.750Z', noticed_after_ms: 1_000, to: '2026-11-24T08:00:00.750Z' }],
})

export const clockEvents = [ClockObserved, ClockStepped] as const
export type ClockEvent = EventOf<(typeof clockEvents)[number]>
