import { expect, test } from 'vitest'
import { definitions, readRecord } from '../../events/catalog.ts'
import { isAsked } from '../../events/define.ts'
import type { Draft } from '../../events/envelope.ts'
import { zeroHash } from '../../events/chain.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { exampleTraceparent } from '../support/records.ts'

const makeId = idMaker(systemClock, systemRandom)

test.each(definitions.map((definition) => [definition.type, definition] as const))(
  '%s: what a follower gets as written is what its bytes parse to',
  async (type, definition) => {
    await using log = new MemoryLog({ clock: systemClock, makeId, node: 'test' })
    const traced = isAsked(definition) ? { traceparent: exampleTraceparent } : {}
    const drafts = definition.examples.map((data): Draft => {
      const draft = { id: makeId(), type, subject: 'log', time: '2026-11-24T08:00:00.000Z', partitionkey: 'test', data: data as object, ...traced }
      return definition.changes ? { ...draft, revision: 1, basis: zeroHash } : draft
    })
    await log.append(definition.stream, drafts as [Draft, ...Draft[]], { purpose: 'owed' })
    let seen = 0
    for await (const batch of log.read(definition.stream, { after: null, follow: false })) {
      for (const { bytes, written } of batch) {
        const reading = readRecord(bytes)
        if (reading.kind === 'event') {
          const { hashver: _hashver, specversion: _specversion, ...event } = reading.event as typeof reading.event & Record<string, unknown>
          expect(written).toEqual(event)
        } else expect(reading).toBe('an event')
        seen += 1
      }
    }
    expect(seen).toBe(drafts.length)
  },
)
