import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configurationOf, differencesBetween, type Configuration } from '../../projections/configuration.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { controlTexts, memory, nodeOn } from '../support/desks.ts'
import { deepFreeze } from '../support/freeze.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { anyCommand } from './any-command.ts'
import { request } from './decide.ts'
import { inline, named } from './wishes.ts'

test('a preview writes nothing, takes no key, and says what is so already', async () => {
  await using log = memory()
  await using node = await nodeOn(log)
  const command = { ...request, ...named('a'), idempotency: { digest: `${'x'.repeat(43)}=`, key: 'k' } }
  const preview = node.desk.preview(decideCreatePool, command)
  expect(preview).toMatchObject({ kind: 'would_change', before: { revision: 0 }, after: { revision: 1 } })
  if (preview.kind === 'would_change') expect(preview.before).toBe(node.live.routing)
  expect(log.head('control')).toBeNull()
  expect(await node.desk.run(decideCreatePool, command)).toMatchObject({ kind: 'effective', revision: 1 })
  expect(node.desk.preview(decideCreatePool, { ...command, idempotency: null })).toMatchObject({ kind: 'refused', refusal: { code: 'pool_exists' } })
  expect(node.desk.preview(() => ({ unchanged: true }), command)).toEqual({ kind: 'unchanged', routing: node.live.routing })
})

test('what a preview shows is what the command then does, for any command after any history', async () => {
  const seen = { effective: 0, refused: 0, unchanged: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(anyCommand, { minLength: 10, maxLength: 30 }), async (history) => {
      // The clock stands, so that the preview and the record have the same time.
      const clock = new ManualClock()
      await using log = memory(clock)
      await using node = await nodeOn(log, clock)
      for (const name of ['a', 'b']) await node.desk.run(decideCreatePool, { ...request, ...named(name, { backends: [inline('one')] }) })
      for (const { decide, command } of history) {
        const before = await controlTexts(log)
        const anew = { ...command, idempotency: null }
        deepFreeze(node.live.routing)
        const preview = node.desk.preview(decide, anew)
        expect(await controlTexts(log)).toEqual(before)
        const answer = await node.desk.run(decide, anew)
        seen[answer.kind as keyof typeof seen] += 1
        if (preview.kind === 'would_change') {
          expect(answer).toMatchObject({ kind: 'effective', facts: { data: preview.facts.data } })
          expect(configurationOf(preview.after)).toEqual(configurationOf(node.live.routing))
          expect(changesOf(preview.before, preview.after)).toEqual(changesOf(preview.before, node.live.routing))
        } else if (preview.kind === 'refused') {
          expect(answer).toEqual({ kind: 'refused', refusal: preview.refusal })
        } else {
          expect(answer).toEqual({ kind: 'unchanged', routing: node.live.routing })
        }
      }
    }),
    { numRuns: 100 },
  )
  // Not trivially: there were many of each.
  for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(20)
})

function changesOf(before: Parameters<typeof configurationOf>[0], after: Parameters<typeof configurationOf>[0]): readonly unknown[] {
  const [one, other]: Configuration[] = [before, after].map(configurationOf)
  return differencesBetween(one!, other!)
}
