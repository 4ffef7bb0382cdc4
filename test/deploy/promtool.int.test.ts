import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { afterAll, describe, expect, test } from 'vitest'
import { queriesOf } from './dashboard.ts'
import { promtool, promtoolMissing } from './promtool.ts'
import { folder } from './rule-files.ts'

/** What Prometheus itself says of the rules, their tests, the example of a configuration and the queries of the dashboard. */

const skipReason = promtoolMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
/** A few seconds, and more on a busy machine. */
const slowTestTimeoutMs = 120_000

describe.skipIf(skipReason !== null)(`promtool${skipped}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'waybill-rules-'))
  afterAll(() => rmSync(scratch, { recursive: true }))

  test.each([
    ['the rules', ['check', 'rules', '--lint=all', '--lint-fatal', `${folder}/waybill.rules.yaml`]],
    ['the example of a configuration, with the rules that it names', ['check', 'config', '--lint=all', '--lint-fatal', `${folder}/prometheus.yaml`]],
    ['every test of the rules', ['test', 'rules', `${folder}/waybill.rules.test.yaml`]],
  ])('accepts %s', (_what, words) => {
    expect(promtool(...words)).toEqual({ code: 0, output: expect.stringContaining('SUCCESS') })
  }, slowTestTimeoutMs)

  const verdictOn = (expressions: readonly string[]) => {
    const file = join(scratch, 'queries.yaml')
    writeFileSync(file, stringify({ groups: [{ name: 'queries', rules: expressions.map((expr, index) => ({ expr, record: `query:${index}` })) }] }))
    return promtool('check', 'rules', file)
  }

  test('parses every query of the dashboard', () => {
    const expressions = queriesOf().map(({ expression }) => expression)
    expect(verdictOn(expressions)).toEqual({ code: 0, output: expect.stringContaining(`SUCCESS: ${expressions.length} rules found`) })
  })

  test('would not parse another one', () => {
    expect(verdictOn(['sum by (pool) (up', 'up']).code).toBe(1)
  })
})
