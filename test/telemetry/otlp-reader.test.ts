import { MeterProvider, type PushMetricExporter, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { emptyResource } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import type { Logger } from '../../src/core/logger.ts'
import type { Family } from '../../src/telemetry/exposition.ts'
import { ExportWatch } from '../../src/telemetry/otlp/export-watch.ts'
import { NodeMetricProducer } from '../../src/telemetry/otlp/metric-producer.ts'
import { OneAtATimeReader } from '../../src/telemetry/otlp/metric-reader.ts'
import { ManualClock } from '../support/manual-clock.ts'

type Answer = Parameters<Parameters<PushMetricExporter['export']>[1]>[0]
const taken = { code: 0 } as Answer
const refused = { code: 1, error: new Error('503 of http://me:s3cr3t@collector') } as Answer

/** An exporter that answers when the test says so. */
class HeldExporter implements PushMetricExporter {
  readonly sent: ResourceMetrics[] = []
  readonly #waiting: ((answer: Answer) => void)[] = []
  /** Answers at once from now on; null: it hangs. */
  answer: Answer | null
  isShut = false

  constructor(answer: Answer | null) {
    this.answer = answer
  }

  get hanging(): number {
    return this.#waiting.length
  }

  export(metrics: ResourceMetrics, done: (answer: Answer) => void): void {
    this.sent.push(metrics)
    if (this.answer === null) this.#waiting.push(done)
    else done(this.answer)
  }
  letGo(answer: Answer): void {
    for (const done of this.#waiting.splice(0)) done(answer)
  }
  forceFlush(): Promise<void> {
    return Promise.resolve()
  }
  shutdown(): Promise<void> {
    this.isShut = true
    return this.#waiting.length === 0 ? Promise.resolve() : new Promise(() => {})
  }
}

interface Stand {
  readonly clock: ManualClock
  readonly exporter: HeldExporter
  readonly lines: readonly string[]
  readonly provider: MeterProvider
}

function stand(answer: Answer | null = taken, collect?: () => Promise<readonly Family[]>): Stand {
  const clock = new ManualClock()
  const exporter = new HeldExporter(answer)
  const lines: string[] = []
  const say = (level: string) => (sentence: string, fields?: object): void => void lines.push(`${level} ${sentence} ${JSON.stringify(fields ?? {})}`)
  const logger: Logger = { debug: say('debug'), error: say('error'), info: say('info'), warn: say('warn') }
  const watch = new ExportWatch({
    clock, consequence: 'they go on being counted', endpoint: 'http://collector', logger, what: 'metrics',
    withoutSecrets: (text) => text.replaceAll('s3cr3t', '[redacted]'),
  })
  const reader = new OneAtATimeReader({
    clock, exporter, intervalMs: 1_000, lastExportMs: 2_000, timeoutMs: 10_000, watch,
    producer: new NodeMetricProducer({ clock, collect: collect ?? countingUp(), sinceMs: clock.now(), version: '1.2.3' }),
  })
  return { clock, exporter, lines, provider: new MeterProvider({ readers: [reader], resource: emptyResource() }) }
}

/** Another total at each collection. */
function countingUp(): () => Promise<readonly Family[]> {
  let value = 0
  return () => {
    value += 1
    return Promise.resolve([{ help: 'x', name: 'waybill_log_records_total', type: 'counter', values: [{ labels: { stream: 'control' }, value }] }])
  }
}

function totals({ exporter }: Stand): unknown[] {
  return exporter.sent.map(({ scopeMetrics }) => scopeMetrics[0]!.metrics[0]!.dataPoints[0]!.value)
}

test('exports at each interval, under the scope of this program, and once more at the end', async () => {
  const its = stand()
  await its.clock.run(3_000)
  expect(totals(its)).toEqual([1, 2, 3])
  expect(its.exporter.sent[0]!.scopeMetrics[0]!.scope).toEqual({ name: 'waybill', version: '1.2.3' })
  await its.provider.shutdown()
  expect(totals(its)).toEqual([1, 2, 3, 4])
  expect(its.exporter.isShut).toBe(true)
  await its.clock.run(5_000)
  expect(its.exporter.sent).toHaveLength(4)
  expect(its.clock.pending).toBe(0)
  expect(its.lines).toEqual([])
})

test('a collector that hangs holds one export, however long, and is told once', async () => {
  const its = stand(null)
  await its.clock.run(300_000)
  expect(its.exporter.hanging).toBe(1)
  expect(its.exporter.sent).toHaveLength(1)
  expect(its.lines).toEqual([
    'warn metrics do not reach the OpenTelemetry collector: they go on being counted {"because":"no answer within 10000 ms","endpoint":"http://collector"}',
  ])
  its.exporter.letGo(refused)
  its.exporter.answer = taken
  await its.clock.run(1_000)
  expect(its.lines.slice(1)).toEqual([
    'info metrics reach the OpenTelemetry collector again {"endpoint":"http://collector","failed_exports":1,"failing_ms":290000}',
  ])
  expect(its.exporter.sent).toHaveLength(2)
})

test('many exports that fail are one line when it begins and one when it is over, and nothing secret in them', async () => {
  const its = stand(refused)
  await its.clock.run(60_000)
  its.exporter.answer = taken
  await its.clock.run(60_000)
  expect(its.lines).toEqual([
    'warn metrics do not reach the OpenTelemetry collector: they go on being counted {"because":"503 of http://me:[redacted]@collector","endpoint":"http://collector"}',
    'info metrics reach the OpenTelemetry collector again {"endpoint":"http://collector","failed_exports":60,"failing_ms":60000}',
  ])
})

test('the end waits for a collector that hangs, but not longer than it may', async () => {
  const its = stand(null)
  await its.clock.run(1_000)
  let isOver = false
  const end = its.provider.shutdown().then(() => (isOver = true))
  await its.clock.run(1_999)
  expect(isOver).toBe(false)
  await its.clock.run(1)
  await end
  expect(its.exporter.sent).toHaveLength(1)
  expect(its.lines).toEqual([expect.stringContaining('no answer within 2000 ms at the end')])
  // Nothing is left that would keep a process alive or speak after the last word.
  expect(its.clock.pending).toBe(0)
  its.exporter.letGo(taken)
  await its.clock.run(60_000)
  expect(its.lines).toHaveLength(1)
})

test('what is under way at the end is waited for, and what came after its collection is sent as well', async () => {
  const its = stand(null)
  await its.clock.run(1_000)
  const end = its.provider.shutdown()
  await its.clock.run(500)
  its.exporter.answer = taken
  its.exporter.letGo(taken)
  await end
  expect(totals(its)).toEqual([1, 2])
})

test('a collection that fails is told as well, and tried again', async () => {
  let fails = true
  const counting = countingUp()
  const its = stand(taken, () => (fails ? Promise.reject(new Error('no numbers')) : counting()))
  await its.clock.run(2_000)
  expect(its.lines).toEqual([expect.stringContaining('no numbers')])
  fails = false
  await its.clock.run(1_000)
  expect(totals(its)).toEqual([1])
})
