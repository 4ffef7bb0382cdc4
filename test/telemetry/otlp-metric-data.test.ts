import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { familiesOf } from '../../src/telemetry/exposition.ts'
import { instruments, otelName, prometheusName, type Instrument, type InstrumentName } from '../../src/telemetry/instruments.ts'
import { metricDataOf } from '../../src/telemetry/otlp/metric-data.ts'

const span = { nowMs: 1_700_000_060_250, sinceMs: 1_700_000_000_000 }
const times = { endTime: [1_700_000_060, 250_000_000], startTime: [1_700_000_000, 0] }

async function dataOf(register: Registry): Promise<readonly (MetricData | null)[]> {
  return (await familiesOf(register)).map((family) => metricDataOf(family, span))
}

test('every instrument of the table goes under its OpenTelemetry name, with its unit and description', () => {
  for (const name of Object.keys(instruments) as InstrumentName[]) {
    const { description, kind, unit }: Instrument = instruments[name]
    const data = metricDataOf({ help: 'not this', name: prometheusName(name), type: kind, values: [{ labels: {}, value: 0 }] }, span)
    expect(data).toMatchObject({ aggregationTemporality: AggregationTemporality.CUMULATIVE, descriptor: { description, name: otelName(name), unit } })
  }
})

test('a counter is a monotonic sum since the start', async () => {
  const register = new Registry()
  const counter = new Counter({ help: 'x', labelNames: ['pool', 'backend', 'direction'], name: 'waybill_bytes_total', registers: [register] })
  counter.inc({ backend: 'b:1', direction: 'to_client', pool: 'p' }, 9_007_199_254_740_991)
  expect(await dataOf(register)).toEqual([expect.objectContaining({
    dataPointType: DataPointType.SUM,
    dataPoints: [{ ...times, attributes: { backend: 'b:1', direction: 'to_client', pool: 'p' }, value: 9_007_199_254_740_991 }],
    descriptor: expect.objectContaining({ name: 'waybill.bytes', unit: 'By', valueType: 0 }),
    isMonotonic: true,
  })])
})

test('a gauge keeps fractions, also where whole numbers are usual', async () => {
  const register = new Registry()
  const gauge = new Gauge({ help: 'x', labelNames: ['pool', 'backend'], name: 'waybill_backend_weight', registers: [register] })
  gauge.set({ backend: 'b:1', pool: 'p' }, 0.5)
  expect(await dataOf(register)).toEqual([expect.objectContaining({
    dataPointType: DataPointType.GAUGE, dataPoints: [expect.objectContaining({ value: 0.5 })], descriptor: expect.objectContaining({ valueType: 1 }),
  })])
})

describe('a histogram', () => {
  const observed = [0.000_05, 0.000_1, 0.3, 0.3, 9.9, 11, 500]

  async function histogramData(): Promise<Extract<MetricData, { dataPointType: DataPointType.HISTOGRAM }>> {
    const register = new Registry()
    const { buckets } = instruments['dial.duration']
    const histogram = new Histogram({ buckets: [...buckets], help: 'x', labelNames: ['pool'], name: prometheusName('dial.duration'), registers: [register] })
    for (const value of observed) histogram.observe({ pool: 'one' }, value)
    histogram.observe({ pool: 'two' }, 10)
    const [data] = await dataOf(register)
    if (data?.dataPointType !== DataPointType.HISTOGRAM) throw new Error('not a histogram')
    return data
  }

  test('has counts between bounds instead of up to bounds', async () => {
    const { dataPoints } = await histogramData()
    const { buckets: { boundaries, counts }, count, sum } = dataPoints[0]!.value
    const { buckets } = instruments['dial.duration']
    expect(boundaries).toEqual([...buckets])
    // A bound belongs to the bucket below it, on both sides.
    const expected = [...boundaries, Infinity].map((bound, index, all) => observed.filter((value) => value <= bound && value > (all[index - 1] ?? -Infinity)).length)
    expect(counts).toEqual(expected)
    expect(count).toBe(observed.length)
    expect(counts.reduce((one, other) => one + other)).toBe(count)
    expect(sum).toBeCloseTo(observed.reduce((one, other) => one + other), 9)
  })

  test('has a point for each set of labels', async () => {
    const { dataPoints } = await histogramData()
    expect(dataPoints.map(({ attributes, value }) => [attributes, value.count])).toEqual([[{ pool: 'one' }, observed.length], [{ pool: 'two' }, 1]])
  })
})

test('what is not in the table keeps its name', async () => {
  const register = new Registry()
  new Counter({ help: 'Seconds.', name: 'process_cpu_seconds_total', registers: [register] }).inc(1.5)
  expect(await dataOf(register)).toEqual([expect.objectContaining({
    dataPoints: [{ ...times, attributes: {}, value: 1.5 }], descriptor: { description: 'Seconds.', name: 'process_cpu_seconds_total', unit: '', valueType: 1 },
  })])
})

test('a metric without a series is left out', () => {
  expect(metricDataOf({ help: 'x', name: 'waybill_clock_skew_seconds', type: 'gauge', values: [] }, span)).toBeNull()
})

test('a summary has no shape and is left out', async () => {
  const register = new Registry()
  new Summary({ help: 'x', name: 'odd', registers: [register] }).observe(1)
  expect(await dataOf(register)).toEqual([null])
})
