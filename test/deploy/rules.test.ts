import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { refusalReasons } from '../../events/connection.ts'
import { settingTable } from '../../src/config/settings.ts'
import { clockSkewMaxMs } from '../../src/core/limits.ts'
import { knownMetrics, problemsOf } from './known-metrics.ts'
import { readPromql } from './promql.ts'
import { alertNamed, alerts, recordings, ruleTests } from './rule-files.ts'

/** Alerts and recorded series ask only for what a node exposes; each is tested, and each has its paragraph. */

const known = knownMetrics(recordings.map(({ record }) => record))

describe('every expression asks for what there is', () => {
  test.each([...alerts.map(({ alert, expr }) => [alert, expr] as const), ...recordings.map(({ expr, record }) => [record, expr] as const)])(
    '%s',
    (_name, expression) => {
      expect(problemsOf(expression, known)).toEqual([])
      expect(readPromql(expression).selectors).not.toHaveLength(0)
    },
  )

  test('and so do the series that they are tested with', () => {
    const series = ruleTests.flatMap((each) => each.input_series.map(({ series }) => series))
    const problems = series.flatMap((each) => problemsOf(each, known)).filter((problem) => !problem.includes('only ever grows'))
    expect(problems).toEqual([])
  })

  test.each([
    ['a metric that is not there', 'rate(waybill_connections_total[5m])', 'waybill_connections_total does not exist'],
    ['a label that it has not', 'waybill_backend_up{server_name="a"} == 0', 'has no label server_name'],
    ['a value that there never is', 'rate(waybill_connections_refused_total{reason=~"no_sni|no_name"}[5m])', 'is never no_name'],
    ['grouping by a label that nobody has', 'sum by (listener) (waybill_backend_up)', 'groups by listener'],
    ['a counter as it is', 'waybill_bytes_total > 5', 'only ever grows'],
    ['buckets as they are', 'histogram_quantile(0.5, waybill_hello_duration_seconds_bucket)', 'only ever grows'],
    ['the rate of a gauge', 'rate(waybill_connections_active[5m])', 'is a gauge'],
    ['a histogram without a suffix', 'rate(waybill_hello_duration_seconds[5m])', 'does not exist'],
  ])('the check finds %s', (_what, expression, sentence) => {
    expect(problemsOf(expression, known)).toEqual([expect.stringContaining(sentence)])
  })
})

describe('every alert', () => {
  test.each(alerts.map((rule) => [rule.alert, rule] as const))('%s is whole', (name, { annotations, labels }) => {
    expect(name).toMatch(/^Waybill[A-Z][A-Za-z]+$/)
    expect(Object.keys(labels)).toEqual(['severity'])
    expect(['critical', 'warning']).toContain(labels['severity'])
    expect(Object.keys(annotations)).toEqual(['summary', 'description', 'runbook'])
    expect(annotations['runbook']).toBe(`docs/telemetry.md#${name.toLowerCase()}`)
  })

  test('has another name', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
  })

  test('has its paragraph, and nothing else has one', () => {
    const page = readFileSync('docs/telemetry.md', 'utf8')
    const paragraphs = [...page.matchAll(/^#+ (Waybill[A-Z]\w+)\n\n\S/gm)].map(([, heading]) => heading!)
    expect(paragraphs.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted())
  })

  test.each(alerts.map(({ alert }) => alert))('%s is tested both ways, and quiet on a node that is well', (name) => {
    const expectations = ruleTests.flatMap(({ alert_rule_test: cases = [], name: title }) =>
      cases.filter(({ alertname }) => alertname === name).map(({ exp_alerts: expected }) => ({ fires: expected.length > 0, title })),
    )
    const own = expectations.filter(({ title }) => title === name)
    expect(own.filter(({ fires }) => fires)).not.toHaveLength(0)
    expect(own.filter(({ fires }) => !fires)).not.toHaveLength(0)
    expect(expectations.filter(({ title }) => title === 'a node that is well raises nothing')).toEqual([expect.objectContaining({ fires: false })])
  })
})

test('every recorded series is tested', () => {
  const tested = ruleTests.flatMap(({ promql_expr_test: cases = [] }) => cases.flatMap(({ expr }) => readPromql(expr).selectors.map(({ metric }) => metric)))
  expect([...new Set(tested)].toSorted()).toEqual(recordings.map(({ record }) => record).toSorted())
})

describe('what follows from the sources', () => {
  const reasonsIn = (expression: string) =>
    readPromql(expression).selectors.flatMap(({ matchers }) => matchers.filter(({ operator }) => operator === '=~').flatMap(({ value }) => value.split('|')))

  test('every reason of a refusal is in one of the alerts, but those that are no trouble', () => {
    const [turnedAway, unusual] = ['WaybillClientsTurnedAway', 'WaybillRefusalsUnusual'].map((name) => reasonsIn(alertNamed(name).expr))
    expect([...turnedAway!, ...unusual!, 'client_gone', 'shutting_down'].toSorted()).toEqual([...refusalReasons].toSorted())
    expect(recordings.filter(({ record }) => record.includes('turned_away')).map(({ expr }) => reasonsIn(expr))).toEqual([turnedAway])
  })

  test('thresholds that stand for a limit', () => {
    expect(alertNamed('WaybillClockOff').expr).toContain(`> ${clockSkewMaxMs / 1_000}`)
    const { backlogMs, backlogRecordsMax, spaceLowBytes } = settingTable
    expect(alertNamed('WaybillBacklogNearLimit').expr).toContain(`_seconds > ${Number(backlogMs.default) / 2_000} or`)
    expect(alertNamed('WaybillBacklogNearLimit').expr).toContain(`_records > ${Number(backlogRecordsMax.default) / 2}`)
    expect(alertNamed('WaybillDiskAlmostFull').expr).toContain(`_bytes < ${Number(spaceLowBytes.default) * 4} or`)
  })
})
