import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLogger, type LogLine } from '../../src/telemetry/logger.ts'
import { anyText } from '../support/any-text.ts'
import { ManualClock } from '../support/manual-clock.ts'

function logger(level: 'debug' | 'info' | 'warn' | 'error' = 'info', earlyMax = 0) {
  const lines: Record<string, unknown>[] = []
  const texts: string[] = []
  const destination = {
    write: (line: string) => {
      texts.push(line)
      lines.push(JSON.parse(line) as Record<string, unknown>)
    },
  }
  return { lines, texts, log: createLogger({ level, clock: new ManualClock(0), about: { node: 'n1' }, destination, earlyMax }) }
}

test('one JSON line: level, time of the clock, who, the sentence and its facts', () => {
  const { lines, log } = logger()
  log.info('listening', { port: 4000 })
  expect(lines).toEqual([{ level: 'info', time: '1970-01-01T00:00:00.000Z', node: 'n1', port: 4000, message: 'listening' }])
})

test('the level holds back what is below it', () => {
  const { lines, log } = logger('warn')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level)
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'error'])
})

test('who it is may become known later', () => {
  const { lines, log } = logger()
  log.identify({ run: 'r1' })
  log.info('ready')
  expect(lines[0]).toMatchObject({ node: 'n1', run: 'r1' })
})

test('facts can neither replace nor repeat what the line itself says', () => {
  const { lines, log, texts } = logger()
  log.info('true', { level: 'debug', message: 'false', node: 'n2', time: 'never' })
  expect(lines[0]).toEqual({
    level: 'info', time: '1970-01-01T00:00:00.000Z', node: 'n1', message: 'true', level_: 'debug', message_: 'false', node_: 'n2', time_: 'never',
  })
  expect(texts[0]!.match(/"node":/g)).toHaveLength(1)
})

describe('errors', () => {
  test('come with type, code, own facts, causes, and one stack of all', () => {
    const { lines, log } = logger()
    const disk = Object.assign(new Error('disk'), { code: 'EIO' })
    const error = Object.assign(new Error('no space', { cause: disk }), { code: 'ENOSPC', syscall: 'write' })
    log.error('the log failed', { error })
    expect(lines[0]).toMatchObject({
      error: {
        type: 'Error', message: 'no space', code: 'ENOSPC', syscall: 'write', cause: { type: 'Error', message: 'disk', code: 'EIO' },
        stack: expect.stringMatching(/^Error: no space\n[^]*\ncaused by: Error: disk\n/),
      },
    })
  })

  test('many in one, an error alone, and one in a circle', () => {
    const { lines, log } = logger()
    const circle = new Error('circle')
    circle.cause = circle
    log.error('all', { error: new AggregateError([new Error('one'), new Error('two')], 'both') })
    log.error('alone', new TypeError('wrong'))
    log.error('round', { error: circle })
    expect(lines[0]).toMatchObject({ error: { message: 'both', errors: [{ message: 'one' }, { message: 'two' }] } })
    expect(lines[1]).toMatchObject({ error: { type: 'TypeError', message: 'wrong' } })
    expect(lines[2]).toMatchObject({ error: { message: 'circle', cause: { message: 'circle' } } })
  })
})

describe('secrets', () => {
  const secret = 's3cr3t'

  test('are never written by their names, however deep', () => {
    const { lines, log } = logger()
    const headers = { authorization: secret, cookie: secret, 'set-cookie': [secret], host: 'localhost' }
    log.info('flat', headers)
    log.info('one level', { headers })
    log.info('deep', { a: [{ b: { c: [{ request: { headers, sasl: { password: secret, username: 'u' } } }] } }] })
    expect(JSON.stringify(lines)).not.toContain(secret)
    expect(lines[1]).toMatchObject({ headers: { authorization: '[redacted]', host: 'localhost' } })
    expect(JSON.stringify(lines[2])).toContain('"username":"u"')
  })

  test('are never written by their looks: in sentences, facts, errors, stacks and causes', () => {
    const { lines, log } = logger()
    const cause = Object.assign(new Error(`password=${secret}`), { config: { headers: { authorization: secret } } })
    const error = Object.assign(new Error(`https://u:${secret}@host failed`, { cause }), { response: { token: secret } })
    log.error(`sent Bearer ${secret}`, { error, url: `https://u:${secret}@host/`, list: [`api_key=${secret}`], [`password=${secret}`]: 1 })
    expect(JSON.stringify(lines)).not.toContain(secret)
    expect(lines[0]).toMatchObject({ url: 'https://[redacted]@host/', message: 'sent Bearer [redacted]' })
  })

  test('that only somebody else knows are hidden as they say', () => {
    const { lines, log } = logger()
    log.hide((text) => text.replaceAll('kn0wn', '[redacted]'))
    log.info('a kn0wn thing', { error: new Error('kn0wn'), fact: 'kn0wn' })
    expect(JSON.stringify(lines)).not.toContain('kn0wn')
  })
})

describe('whatever it is given', () => {
  test('what has no JSON is said, not thrown', () => {
    const { lines, log } = logger()
    const hostile = {
      big: 10n, bytes: Buffer.from('abc'), date: new Date(0), endless: Infinity, map: new Map([['k', 1]]), none: undefined,
      set: new Set([1]), symbol: Symbol('s'), toJSON: undefined, run: () => 1,
      throws: { toJSON: () => { throw new Error('no') } },
    }
    log.info('odd', hostile)
    expect(lines[0]).toMatchObject({
      big: '10', bytes: '[3 bytes]', date: '1970-01-01T00:00:00.000Z', endless: 'Infinity', map: { k: 1 }, set: [1], symbol: 'Symbol(s)',
      throws: '[unreadable]',
    })
    log.info('worse', { get fact(): string { throw new Error('no') } })
    expect(lines[1]).toMatchObject({ fields: '[unreadable]', message: 'worse' })
  })

  test('a line is bounded in length, depth and number', () => {
    const { log, texts } = logger()
    const circle: Record<string, unknown> = { text: 'x'.repeat(1_000_000), list: Array.from({ length: 10_000 }, () => 'y'.repeat(1_000)) }
    circle['again'] = circle
    log.info('z'.repeat(1_000_000), circle)
    expect(texts[0]!.length).toBeLessThan(100_000)
  })

  test('what is too deep is left out', () => {
    const { lines, log } = logger()
    let deep: object = { bottom: true }
    for (let level = 0; level < 20; level += 1) deep = { deep }
    log.info('deep', deep)
    expect(JSON.stringify(lines[0])).toMatch(/(?:\{"deep":){7,8}"\[deeper\]"/)
  })

  test('property: one line of JSON each', () => {
    const { log, texts } = logger()
    fc.assert(fc.property(anyText, fc.anything({ maxDepth: 2, withBigInt: true, withMap: true }), (sentence, value) => {
      texts.length = 0
      log.info(sentence, { value })
      expect(texts).toHaveLength(1)
      expect(texts[0]!.indexOf('\n')).toBe(texts[0]!.length - 1)
    }))
  })
})

describe('lines that are told on', () => {
  test('are those of the level, without secrets, until it is disposed', () => {
    const { log } = logger()
    const told: LogLine[] = []
    const telling = log.tellOn((line) => told.push(line))
    log.debug('below')
    log.info('said', { password: 'x', pool: 'p' })
    telling[Symbol.dispose]()
    log.info('later')
    expect(told).toEqual([{ level: 'info', epochMs: 0, sentence: 'said', fields: { password: '[redacted]', pool: 'p' } }])
  })

  test('begin with a bounded number of early ones', () => {
    const { log } = logger('info', 2)
    for (const sentence of ['one', 'two', 'three']) log.info(sentence)
    const told: string[] = []
    log.tellOn(({ sentence }) => told.push(sentence))
    log.info('four')
    expect(told).toEqual(['one', 'two', 'four'])
  })

  test('are not those that were said here alone', () => {
    const { lines, log } = logger()
    const told: LogLine[] = []
    log.tellOn((line) => told.push(line))
    log.unshared.warn('lines are not exported')
    expect(told).toEqual([])
    expect(lines).toHaveLength(1)
  })
})
