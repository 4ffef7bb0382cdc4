import { silentLogger } from '../../src/core/logger.ts'
import { instruments, labelTable, prometheusName, reasonsOf, type Instrument, type InstrumentName, type Label } from '../../src/telemetry/instruments.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { readPromql, type Matcher, type Selector } from './promql.ts'

/** Holds expressions of dashboards and alerts against what a node really exposes. */

export interface Known {
  readonly kind: 'counter' | 'gauge' | 'histogram' | 'recorded'
  /** Null: those of a recorded series, which nobody declares. */
  readonly labels: readonly string[] | null
  readonly instrument: InstrumentName | null
}

/** What Prometheus puts on every series of a target; cluster is that of the example of a scrape configuration. */
export const targetLabels = ['cluster', 'instance', 'job']
const histogramSuffixes = ['_bucket', '_count', '_sum']
const rates = ['increase', 'rate']

/** By the name of a series: of a histogram those with suffixes. */
export function knownMetrics(recorded: readonly string[] = []): ReadonlyMap<string, Known> {
  const known = new Map<string, Known>([
    ['up', { instrument: null, kind: 'gauge', labels: [] }],
    ...recorded.map((name) => [name, { instrument: null, kind: 'recorded', labels: null }] as const),
  ])
  const byName = new Map((Object.keys(instruments) as InstrumentName[]).map((name) => [prometheusName(name), name]))
  using metrics = new Metrics({ clock: new ManualClock(), logger: silentLogger })
  for (const metric of metrics.register.getMetricsAsArray()) {
    const { labelNames: labels, name, type } = metric as unknown as { labelNames: readonly string[]; name: string; type: Known['kind'] }
    const instrument = byName.get(name) ?? null
    if (type !== 'histogram') known.set(name, { instrument, kind: type, labels })
    else for (const suffix of histogramSuffixes) known.set(`${name}${suffix}`, { instrument, kind: type, labels: suffix === '_bucket' ? [...labels, 'le'] : labels })
  }
  return known
}

/** Sentences; none: every metric, label and value exists, and each is used as its kind asks for. */
export function problemsOf(expression: string, known: ReadonlyMap<string, Known>): string[] {
  const { labels, selectors } = readPromql(expression)
  const problems = selectors.flatMap((selector) => selectorProblems(selector, known))
  const found = selectors.map(({ metric }) => known.get(metric)?.labels ?? null)
  if (found.includes(null)) return problems
  const there = new Set([...targetLabels, ...found.flatMap((each) => each!)])
  return [...problems, ...labels.filter((label) => !there.has(label)).map((label) => `groups by ${label}, which none of its metrics has`)]
}

function selectorProblems({ isRange, matchers, metric, within }: Selector, known: ReadonlyMap<string, Known>): string[] {
  const its = known.get(metric)
  if (its === undefined) return [`${metric} does not exist`]
  const problems = matchers.flatMap((matcher) => matcherProblems(metric, matcher, its))
  const isRated = isRange && rates.includes(within ?? '')
  if ((its.kind === 'counter' || its.kind === 'histogram') && !isRated) problems.push(`${metric} only ever grows: it has to stand in rate() or increase()`)
  if (its.kind === 'gauge' && isRated) problems.push(`${metric} is a gauge, of which there is no ${within}`)
  return problems
}

function matcherProblems(metric: string, { label, operator, value }: Matcher, { instrument, labels }: Known): string[] {
  if (labels === null || targetLabels.includes(label)) return []
  if (!labels.includes(label)) return [`${metric} has no label ${label}`]
  const values = valuesOf(instrument, label)
  if (values === null || value.startsWith('$')) return []
  const named = operator.endsWith('~') ? value.split('|') : [value]
  return named.filter((each) => !values.includes(each)).map((each) => `${label} of ${metric} is never ${each}`)
}

function valuesOf(instrument: InstrumentName | null, label: string): readonly string[] | null {
  if (instrument === null) return null
  if (label === 'reason') return (reasonsOf as Partial<Record<InstrumentName, readonly string[]>>)[instrument] ?? null
  const { labels }: Instrument = instruments[instrument]
  return labels.includes(label as Label) ? labelTable[label as Label].values : null
}
