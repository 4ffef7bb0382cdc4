import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/core/system/clock.ts'
import { LineExport } from '../../../src/telemetry/logs/line-export.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'

type Answer = { readonly code: number; readonly error?: Error }

function exporting({ answers = [], queueMax = 8 }: { answers?: (Answer | 'never')[]; queueMax?: number } = {}) {
  const batches: ReadableLogRecord[][] = []
  const told: string[] = []
  const exporter = {
    export: (records: ReadableLogRecord[], done: (answer: Answer) => void) => {
      batches.push(records)
      const answer = answers.shift() ?? { code: 0 }
      if (answer !== 'never') done(answer)
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  }
  const lines = new LineExport({
    batching: { batchMax: 4, exportTimeoutMs: 30_000, queueMax, scheduleDelayMs: 3_600_000 },
    clock: systemClock,
    exporter,
    resource: resourceFromAttributes({ 'service.name': 'waybill' }),
    version: '1.2.3',
    watch: { failed: (error) => told.push(String(error)), succeeded: () => told.push('succeeded') },
  })
  const logger = createLogger({ level: 'debug', clock: new ManualClock(1_500), about: {}, destination: { write: () => {} } })
  logger.tellOn((line) => lines.add(line))
  return { batches, lines, logger, told }
}

/** The SDK's records have getters, which a comparison does not see. */
function shown(record: ReadableLogRecord | undefined): object {
  const { attributes, body, hrTime, instrumentationScope, severityNumber, severityText, spanContext } = record!
  return { attributes, body, hrTime, instrumentationScope, severityNumber, severityText, spanContext }
}

test('a line is a log record: severity, time, body, attributes, exception, scope and resource', async () => {
  const { batches, lines, logger } = exporting()
  logger.warn('the disk is nearly full', { free_bytes: 7, nested: { list: ['a'] }, none: null, password: 'x' })
  logger.error('it failed', { error: Object.assign(new TypeError('why'), { code: 'EIO' }) })
  await lines[Symbol.asyncDispose]()
  const [warned, failed] = batches.flat()
  expect(shown(warned)).toMatchObject({
    severityText: 'WARN', severityNumber: 13, hrTime: [1, 500_000_000], body: 'the disk is nearly full',
    instrumentationScope: { name: 'waybill', version: '1.2.3' }, spanContext: undefined,
  })
  expect(warned!.attributes).toEqual({ free_bytes: 7, nested: { list: ['a'] }, none: null, password: '[redacted]' })
  expect(warned!.resource.attributes).toEqual({ 'service.name': 'waybill' })
  expect(shown(failed)).toMatchObject({ severityText: 'ERROR', severityNumber: 17 })
  expect(failed!.attributes).toEqual({
    'error.code': 'EIO', 'exception.type': 'TypeError', 'exception.message': 'why', 'exception.stacktrace': expect.stringContaining('TypeError: why'),
  })
})

test('the ids of a span are the record\'s own', async () => {
  const { batches, lines, logger } = exporting()
  const [trace_id, span_id] = ['0198c0de000070008000000000000001', '8000000000000001']
  logger.info('POST /api/pools answered 201', { trace_id, span_id, request_id: 'r' })
  logger.info('one alone', { trace_id })
  await lines[Symbol.asyncDispose]()
  const [both, alone] = batches.flat()
  expect(shown(both)).toMatchObject({ spanContext: { traceId: trace_id, spanId: span_id }, attributes: { request_id: 'r' } })
  expect(both!.attributes).not.toHaveProperty('trace_id')
  expect(alone).toMatchObject({ attributes: { trace_id } })
})

test('what finds no room is dropped and counted, and costs nothing else', async () => {
  const { batches, lines, logger } = exporting({ answers: ['never'] })
  for (let index = 0; index < 100; index += 1) logger.info('one more')
  // One batch hangs at the exporter; the queue is full behind it.
  await new Promise((resolve) => setImmediate(resolve))
  expect(batches).toHaveLength(1)
  expect(lines.counts.dropped).toBeGreaterThanOrEqual(100 - 4 - 8)
  expect(lines.counts.exported).toBe(0)
})

test('failures are told to the watch, counted, and make no error of the SDK', async () => {
  const { lines, logger, told } = exporting({ answers: [{ code: 1, error: new Error('ECONNREFUSED') }, { code: 0 }] })
  for (let index = 0; index < 8; index += 1) logger.info('one more')
  await lines[Symbol.asyncDispose]()
  expect(told).toEqual(['Error: ECONNREFUSED', 'succeeded'])
  expect(lines.counts).toEqual({ exported: 4, failed: 4, dropped: 0 })
})

test('a line that can not be made costs whoever said it nothing, and is told to the watch', async () => {
  const { lines, logger, told } = exporting({ queueMax: 4 })
  const odd = { get span_id(): string { throw new Error('a bug') } }
  for (let index = 0; index < 8; index += 1) lines.add({ level: 'info', epochMs: 1_500, sentence: 'odd', fields: odd })
  expect(told).toEqual(Array.from({ length: 8 }, () => 'Error: a bug'))
  // It has given back its room.
  logger.info('one more')
  await lines[Symbol.asyncDispose]()
  expect(lines.counts).toEqual({ exported: 1, failed: 8, dropped: 0 })
})
