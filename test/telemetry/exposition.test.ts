import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { familiesOf, formatFor, textOf, type Family, type TextFormat } from '../../src/telemetry/exposition.ts'

const prometheus2 = 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const prometheus3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1'

const noTurn = async (): Promise<void> => {}
const written = async (families: readonly Family[], format: TextFormat): Promise<string> => (await textOf(families, format, noTurn)).toString()

test.each([
  [undefined, 'prometheus'],
  ['', 'prometheus'],
  ['*/*', 'prometheus'],
  ['application/json', 'prometheus'],
  ['text/plain', 'prometheus'],
  ['application/openmetrics-text', 'openmetrics'],
  ['Application/OpenMetrics-Text; Version="1.0.0"', 'openmetrics'],
  ['application/openmetrics-text; version=0.0.1', 'prometheus'],
  ['application/openmetrics-text; version=1.0.0; q=0', 'prometheus'],
  ['application/openmetrics-text;q=0.4, text/plain;q=0.6', 'prometheus'],
  ['application/openmetrics-text;q=nonsense', 'prometheus'],
  [prometheus2, 'openmetrics'],
  [prometheus3, 'openmetrics'],
])('who accepts %s gets %s', (accept, format) => {
  expect(formatFor(accept)).toBe(format)
})

describe('the text', () => {
  const families: readonly Family[] = [
    { help: 'What a "thing"\nwith a \\ does.', name: 'things_total', type: 'counter', values: [{ labels: { kind: 'a"b\\c\nd', none: undefined }, value: 3 }] },
    { help: 'None.', name: 'unknown', type: 'gauge', values: [] },
    { help: 'Free.', name: 'free_bytes', type: 'gauge', values: [{ labels: {}, value: Number.NaN }, { labels: { a: 1 }, value: -Infinity }] },
    {
      help: 'How long.', name: 'time_seconds', type: 'histogram',
      values: [
        { exemplar: { labelSet: { trace_id: 'abc' }, timestamp: 12.5, value: 0.2 }, labels: { le: 0.5 }, metricName: 'time_seconds_bucket', value: 1 },
        { exemplar: null, labels: { le: '+Inf' }, metricName: 'time_seconds_bucket', value: 1 },
        { labels: {}, metricName: 'time_seconds_sum', value: 0.2 },
        { labels: {}, metricName: 'time_seconds_count', value: 1 },
      ],
    },
  ]

  test('of Prometheus: names as they are, nothing of what has no series, no exemplars', async () => {
    expect(await written(families, 'prometheus')).toBe(`# HELP things_total What a "thing"\\nwith a \\\\ does.
# TYPE things_total counter
things_total{kind="a\\"b\\\\c\\nd"} 3
# HELP free_bytes Free.
# TYPE free_bytes gauge
free_bytes NaN
free_bytes{a="1"} -Inf
# HELP time_seconds How long.
# TYPE time_seconds histogram
time_seconds_bucket{le="0.5"} 1
time_seconds_bucket{le="+Inf"} 1
time_seconds_sum 0.2
time_seconds_count 1
`)
  })

  test('of OpenMetrics: counters by the name of their family, units, exemplars and an end', async () => {
    expect(await written(families, 'openmetrics')).toBe(`# HELP things What a \\"thing\\"\\nwith a \\\\ does.
# TYPE things counter
things_total{kind="a\\"b\\\\c\\nd"} 3
# HELP free_bytes Free.
# TYPE free_bytes gauge
# UNIT free_bytes bytes
free_bytes NaN
free_bytes{a="1"} -Inf
# HELP time_seconds How long.
# TYPE time_seconds histogram
# UNIT time_seconds seconds
time_seconds_bucket{le="0.5"} 1 # {trace_id="abc"} 0.2 12.5
time_seconds_bucket{le="+Inf"} 1
time_seconds_sum 0.2
time_seconds_count 1
# EOF
`)
  })

  test('in one format leaves the next one, in the other format, as it is', async () => {
    const registers = [new Registry()]
    new Counter({ help: 'Things.', name: 'things_total', registers }).inc(2)
    new Gauge({ help: 'Now.', labelNames: ['kind'], name: 'now', registers }).set({ kind: 'a' }, 1)
    new Histogram({ buckets: [1, 2], help: 'Sizes.', name: 'sizes', registers }).observe(1.5)
    const families = await familiesOf(registers[0]!)
    const before = await written(families, 'prometheus')
    expect(before).toBe((await registers[0]!.metrics()).replaceAll('\n\n', '\n'))
    expect(await written(families, 'openmetrics')).toContain('\nthings_total 2\n')
    expect(await written(await familiesOf(registers[0]!), 'prometheus')).toBe(before)
  })
})
