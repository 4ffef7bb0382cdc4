import type { Received } from './collector.ts'

/** Metrics as a collector writes them (OTLP in JSON), as plain numbers. */

export interface Series {
  readonly attributes: Readonly<Record<string, string>>
  /** Of a histogram the count. */
  readonly value: number
  /** Of a histogram. */
  readonly sum?: number
  readonly buckets?: readonly number[]
}

export interface ReceivedMetric {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly kind: 'gauge' | 'histogram' | 'sum'
  /** Of a sum: that it only grows, and counts since the start. */
  readonly isCumulative: boolean
  readonly isMonotonic: boolean
  readonly startsMs: number
  readonly series: readonly Series[]
}

export interface ReceivedMetrics {
  readonly resource: Readonly<Record<string, string>>
  readonly scope: { readonly name: string; readonly version: string }
  readonly metrics: ReadonlyMap<string, ReceivedMetric>
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: string }
}

interface Point {
  readonly attributes?: readonly Attribute[]
  readonly startTimeUnixNano?: string
  readonly asInt?: string
  readonly asDouble?: number
  readonly count?: string
  readonly sum?: number
  readonly bucketCounts?: readonly string[]
}

interface Metric {
  readonly name: string
  readonly unit?: string
  readonly description?: string
  readonly sum?: { readonly dataPoints?: readonly Point[]; readonly aggregationTemporality?: number; readonly isMonotonic?: boolean }
  readonly gauge?: { readonly dataPoints?: readonly Point[] }
  readonly histogram?: { readonly dataPoints?: readonly Point[]; readonly aggregationTemporality?: number }
}

interface ResourceMetrics {
  readonly resource: { readonly attributes: readonly Attribute[] }
  readonly scopeMetrics: readonly { readonly scope: { readonly name: string; readonly version: string }; readonly metrics: readonly Metric[] }[]
}

const cumulative = 2

export function metricsIn({ resourceMetrics = [] }: Received): ReceivedMetrics {
  const [one] = resourceMetrics as readonly ResourceMetrics[]
  const [scoped] = one?.scopeMetrics ?? []
  if (one === undefined || scoped === undefined) throw new Error('there are no metrics in it')
  return {
    metrics: new Map(scoped.metrics.map((metric) => [metric.name, read(metric)])),
    resource: attributesOf(one.resource.attributes),
    scope: scoped.scope,
  }
}

/** Of all series whose attributes have these values. */
export function totalOf({ metrics }: ReceivedMetrics, name: string, where: Readonly<Record<string, string>> = {}): number {
  const series = metrics.get(name)?.series ?? []
  const fitting = series.filter(({ attributes }) => Object.entries(where).every(([key, value]) => attributes[key] === value))
  return fitting.reduce((total, { value }) => total + value, 0)
}

function read({ description = '', gauge, histogram, name, sum, unit = '' }: Metric): ReceivedMetric {
  const points = (sum ?? gauge ?? histogram)?.dataPoints ?? []
  return {
    description, name, unit,
    isCumulative: (sum ?? histogram)?.aggregationTemporality === cumulative,
    isMonotonic: sum?.isMonotonic === true,
    kind: sum === undefined ? (gauge === undefined ? 'histogram' : 'gauge') : 'sum',
    series: points.map((point) => ({ attributes: attributesOf(point.attributes ?? []), ...valuesOf(point) })),
    startsMs: Number(BigInt(points[0]?.startTimeUnixNano ?? 0) / 1_000_000n),
  }
}

function valuesOf({ asDouble, asInt, bucketCounts, count, sum }: Point): Omit<Series, 'attributes'> {
  if (count === undefined) return { value: asInt === undefined ? (asDouble ?? 0) : Number(asInt) }
  return { buckets: (bucketCounts ?? []).map(Number), sum: sum ?? 0, value: Number(count) }
}

function attributesOf(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? JSON.stringify(value)]))
}
