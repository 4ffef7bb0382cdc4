import { expect, test } from 'vitest'
import { zeroHash } from '../../events/chain.ts'
import { encodeDraft, encodedBytes } from '../../events/envelope.ts'
import { tooLarge, type DraftFacts } from '../../src/commands/decision.ts'
import { controlRecordBytesMax } from '../../src/core/limits.ts'
import { exampleTraceparent } from '../support/records.ts'
import { stamp } from './decide.ts'

/** What a decider lets through, the log takes, whatever the desk and the log add to it. */

function factsOf(length: number): DraftFacts {
  return { id: stamp.recordId, type: 'dev.waybill.pool.created.v1', subject: 'pools/a', time: stamp.time, partitionkey: 'control', data: { owner: 'o'.repeat(length) } }
}

test('the largest change fits with the longest names, the highest revision and a trace, and not one byte more would', () => {
  let length = controlRecordBytesMax
  while (tooLarge(factsOf(length)) !== null) length -= 1
  const added = { revision: Number.MAX_SAFE_INTEGER, basis: zeroHash, traceparent: exampleTraceparent }
  const written = encodeDraft({ ...factsOf(length), ...added }, { source: 's'.repeat(400), run: 'r'.repeat(36) })
  expect(encodedBytes(written)).toBe(controlRecordBytesMax)
})
