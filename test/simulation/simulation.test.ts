import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failedSeeds } from './failed-seeds.ts'
import { simulate } from './simulate.ts'

const fixedSeeds = Array.from({ length: 20 }, (_, index) => 101 + index)

describe('everything holds', () => {
  test.for(fixedSeeds)('in world %i', async (seed) => {
    expect((await simulate(seed)).violations).toEqual([])
  })

  test.for(failedSeeds)('in world %i: %s', async ([seed]) => {
    expect((await simulate(seed)).violations).toEqual([])
  })
})

test('the same seed makes the same world, in this process and in another one', async () => {
  const seeds = [104, 105, 106]
  const run = join(import.meta.dirname, 'run.ts')
  for (const seed of seeds) {
    const { traceHash } = await simulate(seed)
    expect((await simulate(seed)).traceHash).toBe(traceHash)
    expect(execFileSync(process.execPath, [run, String(seed)], { encoding: 'utf8' })).toContain(traceHash)
  }
  const hashes = await Promise.all(seeds.map(async (seed) => (await simulate(seed)).traceHash))
  expect(new Set(hashes).size).toBe(seeds.length)
})
