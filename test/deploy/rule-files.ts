import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** The rules of deploy/prometheus and their tests, as data. */

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
export interface RecordingRule {
  readonly record: string
  readonly expr: string
}
export interface RuleTest {
  readonly name: string
  readonly input_series: readonly { readonly series: string }[]
  readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[]
  readonly promql_expr_test?: readonly { readonly expr: string }[]
}

export const folder = 'deploy/prometheus'

interface Group {
  readonly name: string
  readonly rules: readonly (AlertRule | RecordingRule)[]
}

const read = (file: string): unknown => parse(readFileSync(`${folder}/${file}`, 'utf8'))
const rules = (read('waybill.rules.yaml') as { readonly groups: readonly Group[] }).groups.flatMap((group) => group.rules)

export const alerts = rules.filter((rule) => 'alert' in rule)
export const recordings = rules.filter((rule) => 'record' in rule)
export const ruleTests = (read('waybill.rules.test.yaml') as { readonly tests: readonly RuleTest[] }).tests

export function alertNamed(name: string): AlertRule {
  const found = alerts.find(({ alert }) => alert === name)
  if (found === undefined) throw new Error(`there is no alert ${name}`)
  return found
}
