import { ValueType, type Attributes } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType, type DataPoint, type Histogram, type MetricData } from '@opentelemetry/sdk-metrics'
import type { Family, Sample } from '../exposition.ts'
import { instruments, otelName, prometheusName, type Instrument, type InstrumentName } from '../instruments.ts'
import { hrTime } from './hr-time.ts'

/** What the registry of Prometheus counts, in the data model of OpenTelemetry: the same numbers under that side's names. */

export interface Period {
  /** When everything was zero, milliseconds since the epoch. */
  readonly sinceMs: number
  readonly nowMs: number
}

/** Null: without a series, or of a kind that OpenTelemetry has no shape for. */
export function metricDataOf(family: Family, { nowMs, sinceMs }: Period): MetricData | null {
  if (family.values.length === 0) return null
  const { description, name, unit } = descriptorOf(family)
  const times = { endTime: hrTime(nowMs), startTime: hrTime(sinceMs) }
  const common = { aggregationTemporality: AggregationTemporality.CUMULATIVE }
  if (family.type === 'histogram') {
    const descriptor = { description, name, unit, valueType: ValueType.DOUBLE }
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: histogramPoints(family.values, times), descriptor }
  }
  const dataPoints = family.values.map(({ labels, value }) => ({ ...times, attributes: attributesOf(labels), value }))
  const descriptor = { description, name, unit, valueType: valueTypeOf(unit, dataPoints) }
  if (family.type === 'counter') return { ...common, dataPointType: DataPointType.SUM, dataPoints, descriptor, isMonotonic: true }
  if (family.type === 'gauge') return { ...common, dataPointType: DataPointType.GAUGE, dataPoints, descriptor }
  return null
}

const tabled: ReadonlyMap<string, InstrumentName> = new Map(
  (Object.keys(instruments) as InstrumentName[]).map((name) => [prometheusName(name), name]),
)

/** What is not in the table, such as the metrics of the process, keeps the name that it has. */
function descriptorOf({ help, name: shown }: Family): { readonly description: string; readonly name: string; readonly unit: string } {
  const name = tabled.get(shown)
  if (name === undefined) return { description: help, name: shown, unit: '' }
  const { description, unit }: Instrument = instruments[name]
  return { description, name: otelName(name), unit }
}

/** Things and bytes are whole; a number that is not must not be cut. */
function valueTypeOf(unit: string, points: readonly { readonly value: number }[]): ValueType {
  const isCount = unit.startsWith('{') || unit === 'By'
  return isCount && points.every(({ value }) => Number.isSafeInteger(value)) ? ValueType.INT : ValueType.DOUBLE
}

interface Series {
  readonly attributes: Attributes
  /** Upper bound of each bucket, and how many are at most that. */
  readonly upTo: (readonly [bound: number, count: number])[]
  count: number
  sum: number
}

function histogramPoints(values: readonly Sample[], times: Pick<DataPoint<Histogram>, 'endTime' | 'startTime'>): DataPoint<Histogram>[] {
  const all = new Map<string, Series>()
  for (const { labels, metricName = '', value } of values) {
    const { le, ...own } = labels
    const attributes = attributesOf(own)
    const key = JSON.stringify(Object.entries(attributes).toSorted(([one], [other]) => (one < other ? -1 : 1)))
    const series = all.get(key) ?? { attributes, count: 0, sum: 0, upTo: [] }
    all.set(key, series)
    if (metricName.endsWith('_sum')) series.sum = value
    else if (metricName.endsWith('_count')) series.count = value
    else if (le !== '+Inf') series.upTo.push([Number(le), value])
  }
  return [...all.values()].map(({ attributes, count, sum, upTo }) => ({ ...times, attributes, value: { buckets: bucketsOf(upTo, count), count, sum } }))
}

/** Prometheus counts what is at most a bound, OpenTelemetry what is between two; the last bucket has no bound. */
function bucketsOf(upTo: Series['upTo'], count: number): Histogram['buckets'] {
  const sorted = upTo.toSorted(([one], [other]) => one - other)
  const totals = [...sorted.map(([, total]) => total), count]
  return {
    boundaries: sorted.map(([bound]) => bound),
    counts: totals.map((total, index) => total - (totals[index - 1] ?? 0)),
  }
}

function attributesOf(labels: Sample['labels']): Attributes {
  return Object.fromEntries(Object.entries(labels).flatMap(([label, value]) => (value === undefined ? [] : [[label, String(value)]])))
}
