import { diag } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { causeOf } from '../../src/telemetry/otlp/causes.ts'
import { hearDiagnostics } from '../../src/telemetry/otlp/diagnostics.ts'
import { resourceOf } from '../../src/telemetry/otlp/resource.ts'
import { ManualClock } from '../support/manual-clock.ts'

const same = (text: string): string => text

test('a cause is one short printable line', () => {
  expect(causeOf(new Error('two\nlines\u001b[31m \u202eof'), same)).toBe('two lines [31m of')
  expect(causeOf(new Error('x'.repeat(1_000)), same)).toHaveLength(301)
  expect(causeOf('only a text', same)).toBe('only a text')
})

test('a code that the message does not have is added', () => {
  expect(causeOf(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), same)).toBe('(ECONNREFUSED)')
  expect(causeOf(Object.assign(new Error('Unauthorized'), { code: 401 }), same)).toBe('Unauthorized (401)')
  expect(causeOf(Object.assign(new Error('connect ECONNREFUSED ::1'), { code: 'ECONNREFUSED' }), same)).toBe('connect ECONNREFUSED ::1')
})

test('complaints of the SDK are at most ten lines an hour, without secrets', () => {
  const clock = new ManualClock()
  const lines: object[] = []
  const logger = { ...silentLogger, warn: (_: string, fields?: object) => void lines.push(fields ?? {}) }
  {
    using heard = hearDiagnostics({ clock, logger, withoutSecrets: (text) => text.replaceAll('s3cr3t', '[redacted]') })
    expect(heard).toBeDefined()
    for (let times = 0; times < 50; times += 1) diag.error('failed with s3cr3t', new Error('s3cr3t'))
    diag.info('nobody needs this')
    expect(lines).toHaveLength(10)
    expect(lines[0]).toEqual({ because: 'failed with [redacted] [redacted]' })
    expect(lines[9]).toHaveProperty('more')
    clock.advance(3_600_000)
    diag.warn('again')
    expect(lines).toHaveLength(11)
  }
  diag.warn('to nobody')
  expect(lines).toHaveLength(11)
})

const facts = { cluster: 'edge', hostname: 'host-1', node: 'a', pid: 7, version: '1.2.3' }

test('the resource says who speaks', () => {
  const { attributes } = resourceOf(facts, { attributes: {}, serviceName: null })
  expect(attributes).toMatchObject({
    'host.name': 'host-1', 'process.pid': 7, 'service.instance.id': 'edge/a', 'service.name': 'waybill', 'service.version': '1.2.3',
    'telemetry.sdk.language': 'nodejs', 'waybill.cluster': 'edge', 'waybill.node': 'a',
  })
})

test('what the operator says wins', () => {
  const { attributes } = resourceOf(facts, { attributes: { 'host.name': 'rack-7', team: 'net' }, serviceName: 'lb' })
  expect(attributes).toMatchObject({ 'host.name': 'rack-7', 'service.name': 'lb', team: 'net', 'waybill.node': 'a' })
})
