import { describe, expect, test } from 'vitest'
import { reasonAgainstBroker, reasonAgainstCheck } from './cluster.ts'
import { describeKills, runKills } from './kills.ts'

const missing = (await reasonAgainstBroker()) ?? (await reasonAgainstCheck())
const rate = 600
const seconds = 9

// Skipped only where no broker can be started; its name says why.
describe.skipIf(missing !== null)(`a killed node and a killed broker${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('under load: who got a byte is on record before it, and nothing is missing', async () => {
    const outcome = await runKills({ changes: 50, rate, seconds })
    process.stdout.write(`${describeKills(outcome)}\n`)
    expect(outcome.report).toMatch(/\n0 violations\n$/)
    expect(outcome.passed).toBe(true)
    expect(outcome.exitCodes).toEqual([0, 0, 0])
    const served = outcome.phases.filter(({ name }) => name === 'all up').reduce((sum, phase) => sum + phase.served, 0)
    // Offered by the clock; how much of it is served depends on what else runs here.
    expect(served).toBeGreaterThan((rate * seconds) / 4)
  }, 180_000)
})
