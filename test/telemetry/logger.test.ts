import { expect, test } from 'vitest'
import { createLogger } from '../../src/telemetry/logger.ts'
import { ManualClock } from '../support/manual-clock.ts'

function logger(level: 'debug' | 'info' | 'warn' | 'error' = 'info') {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
  return { lines, log: createLogger({ level, clock: new ManualClock(0), about: { node: 'n1' }, destination }) }
}

test('one JSON line: level, time of the clock, who, the sentence and its facts', () => {
  const { lines, log } = logger()
  log.info('listening', { port: 4000 })
  expect(lines).toEqual([{ level: 'info', time: '1970-01-01T00:00:00.000Z', node: 'n1', port: 4000, message: 'listening' }])
})

test('errors come with code, stack and cause', () => {
  const { lines, log } = logger()
  const error = Object.assign(new Error('no space', { cause: new Error('disk') }), { code: 'ENOSPC' })
  log.error('the log failed', { error })
  expect(lines[0]).toMatchObject({ error: { message: expect.stringContaining('no space'), code: 'ENOSPC', stack: expect.stringContaining('disk') } })
})

test('the level holds back what is below it', () => {
  const { lines, log } = logger('warn')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level)
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'error'])
})

test('credentials are never written, however deep', () => {
  const { lines, log } = logger()
  const headers = { authorization: 'Bearer s3cret', cookie: 's3cret', 'set-cookie': 's3cret', host: 'localhost' }
  log.info('flat', headers)
  log.info('one level', { headers })
  log.info('two levels', { request: { headers } })
  expect(JSON.stringify(lines)).not.toContain('s3cret')
  expect(lines[1]).toMatchObject({ headers: { authorization: '[redacted]', host: 'localhost' } })
})
