import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { startProgramLog } from '../../../src/telemetry/logs/program-log.ts'
import { anyText } from '../../support/any-text.ts'
import { ManualClock } from '../../support/manual-clock.ts'

/** Terminals obey controls, also the 8-bit ones; the others turn text around, hide it or end a line. */
// oxlint-disable-next-line no-control-regex
const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u
const hostile = 'a\u001b[2J\u009b31m\u202egnp.exe\u2028\r\u0000\u007f\u200b\nINFO: forged'

async function programLog(form: 'json' | 'pretty', colours = false) {
  const chunks: string[] = []
  const sink = {
    write: (bytes: Uint8Array) => {
      chunks.push(Buffer.from(bytes).toString())
      return bytes.length
    },
  }
  const log = await startProgramLog({ level: 'info', form, colours, clock: new ManualClock(0), sink, holdUp: () => {} })
  return { chunks, ...log }
}

describe('json', () => {
  test('hostile bytes are escapes in one line that parses to the same', async () => {
    const { chunks, logger } = await programLog('json')
    logger.info(hostile, { name: hostile, [hostile]: 1 })
    expect(chunks).toHaveLength(1)
    expect(chunks[0]!.slice(0, -1)).not.toMatch(obeyed)
    expect(chunks[0]!.indexOf('\n')).toBe(chunks[0]!.length - 1)
    expect(JSON.parse(chunks[0]!)).toMatchObject({ message: hostile, name: hostile })
  })

  test('property: whatever is said, a terminal obeys none of it', async () => {
    const { chunks, logger } = await programLog('json')
    fc.assert(fc.property(anyText, anyText, (sentence, value) => {
      chunks.length = 0
      logger.info(sentence, { value, error: new Error(value) })
      expect(chunks[0]!.slice(0, -1)).not.toMatch(obeyed)
      expect(chunks[0]!.slice(0, -1)).not.toContain('\n')
    }))
  })
})

describe('pretty', () => {
  test('is for people: time, level, sentence, facts; an error with its stack', async () => {
    const { chunks, logger } = await programLog('pretty')
    logger.info('listening', { port: 4000, pool: 'payments' })
    logger.error('it failed', { error: new Error('why', { cause: new Error('deeper') }), pool: 'payments' })
    expect(chunks[0]).toMatch(/^\[.* [+-]\d{4}\] INFO: listening \{"port":4000,"pool":"payments"\}\n$/)
    expect(chunks[1]).toMatch(/ERROR: it failed/)
    expect(chunks[1]).toMatch(/\n +Error: why\n/)
    expect(chunks[1]).toMatch(/\n +caused by: Error: deeper\n/)
    expect(chunks[1]).toContain('payments')
  })

  test('has colours where there are some to be seen', async () => {
    const [plain, coloured] = [await programLog('pretty', false), await programLog('pretty', true)]
    for (const { logger } of [plain, coloured]) logger.info('listening')
    expect(plain.chunks[0]).not.toContain('\u001b')
    expect(coloured.chunks[0]).toContain('\u001b[')
  })

  test('hostile bytes give a terminal no orders and forge no line', async () => {
    const { chunks, logger } = await programLog('pretty')
    logger.warn(hostile, { name: hostile, [hostile]: 1, error: new Error(hostile, { cause: new Error(hostile) }) })
    const text = chunks.join('')
    expect(text).not.toMatch(obeyed)
    expect(text.split('\n').filter((line) => /^\S/.test(line))).toHaveLength(1)
  })

  test('property: whatever is said, a terminal obeys none of it, and one line begins at the margin', async () => {
    const { chunks, logger } = await programLog('pretty')
    fc.assert(fc.property(anyText, anyText, (sentence, value) => {
      chunks.length = 0
      logger.info(sentence, { value, error: Object.assign(new Error(value), { [value]: sentence }) })
      const text = chunks.join('')
      expect(text).not.toMatch(obeyed)
      expect(text.split('\n').filter((line) => /^[^\s]/.test(line)).length).toBe(1)
    }))
  })
})

test('lines that nobody took are counted in a line of the log', async () => {
  const chunks: string[] = []
  let isRead = false
  const sink = {
    write: (bytes: Uint8Array) => {
      if (!isRead) throw new Error('EPIPE')
      chunks.push(Buffer.from(bytes).toString())
      return bytes.length
    },
  }
  const { logger } = await startProgramLog({ level: 'info', form: 'json', colours: false, clock: new ManualClock(0), sink, holdUp: () => {} })
  for (let index = 0; index < 5; index += 1) logger.info('lost')
  isRead = true
  logger.info('taken')
  expect(chunks.map((chunk) => JSON.parse(chunk) as object)).toMatchObject([{ message: 'taken' }, { level: 'warn', lines: 5 }])
})
