import fc from 'fast-check'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { Difference } from '../../projections/configuration.ts'
import { differenceLine, differenceLines } from '../../src/cli/differences.ts'
import { durationMs, durationText } from '../../src/cli/duration.ts'
import { momentText, revisionOrMoment } from '../../src/cli/moment.ts'
import { Output, printing } from '../../src/cli/output.ts'
import { jsonLine } from '../../src/core/printable.ts'
import { progressOf } from '../../src/cli/progress.ts'
import { bytesText, properties, table, tinted } from '../../src/cli/table.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Screen } from './harness.ts'

describe('JSON for a terminal', () => {
  test('parses to the same value, and holds nothing that a terminal obeys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
        const line = jsonLine({ text, value })
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify({ text, value })))
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }),
    )
  })
  test('escapes both halves of what is beyond the basic plane', () => {
    expect(jsonLine('\u{e0001}\u009b\u202e')).toBe('"\\udb40\\udc01\\u009b\\u202e"\n')
  })
})

describe('tables', () => {
  const screen = new Screen()
  test('have no borders, no space at the end of lines, and numbers to the right', () => {
    expect(table(screen, ['NAME', 'COUNT'], [['a', 5], ['longer', 12_345]])).toBe('NAME    COUNT\na           5\nlonger  12345')
  })
  test('say nothing as a dash, and show no control characters', () => {
    expect(table(screen, ['A', 'B', 'C'], [['x\u001b[2J', null, '']])).toBe('A         B  C\nx\\x1b[2J  -  -')
    expect(properties(screen, [['a', 1], ['longer', null]])).toBe('a       1\nlonger  -')
  })
  test('have colours on a terminal only', () => {
    expect(tinted(screen, 'down', 'bad')).toBe('down')
    const terminal = Object.assign(new Screen(), { isTTY: true, hasColors: () => true, getColorDepth: () => 8 })
    expect(tinted(terminal, 'down', 'plain')).toBe('down')
    expect(table(terminal, ['A'], [[{ text: 'x\u001b', tone: 'bad' }]])).not.toContain('x\u001b')
  })
  test.each([[0, '0 B'], [1_023, '1023 B'], [1_536, '1.5 KiB'], [5 * 1_048_576, '5.0 MiB'], [2 ** 60, '1024.0 PiB']])('%i bytes are %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text)
  })
})

describe('moments and durations', () => {
  const clock = new ManualClock()
  test.each([['500ms', 500], ['30s', 30_000], ['1.5m', 90_000], ['2h', 7_200_000], ['1d', 86_400_000], ['250', 250], ['0', 0]])('%s', (text, ms) => {
    expect(durationMs(text)).toBe(ms)
  })
  test.each(['', 'm', '-5m', '5 m', '5w', '1e3', '9999999999999s'])('"%s" is no duration', (text) => {
    expect(durationMs(text)).toBeNull()
  })
  test('are written so that they read back', () => {
    fc.assert(fc.property(fc.nat(), (ms) => durationMs(durationText(ms)) === ms))
    expect([90_000, 600_000, 0, 1].map(durationText)).toEqual(['90s', '10m', '0s', '1ms'])
  })
  test('a moment is RFC 3339, or so long ago', () => {
    const now = clock.now()
    expect(momentText(clock, '--at', '2026-11-24T09:00:00+01:00')).toBe('2026-11-24T08:00:00.000Z')
    expect(Date.parse(momentText(clock, '--at', '-15m'))).toBe(now - 900_000)
    expect(Date.parse(momentText(clock, '--at', 'now'))).toBe(now)
    expect(momentText(clock, '--at', '-99999999d')).toBe('1970-01-01T00:00:00.000Z')
    expect(revisionOrMoment(clock, '--from', '17')).toBe('17')
    for (const text of ['17', 'yesterday', '2026-02-30T00:00:00Z', '15m', '-m']) {
      expect(() => momentText(clock, '--at', text)).toThrow(/--at: ".*" is no moment/)
    }
  })
})

describe('differences', () => {
  const added: Difference = { kind: 'added', subject: 'pools/a', field: null, before: null, after: { name: 'a', owner: null, backends: [], weight: 3 } }
  test('are a line each', () => {
    expect(differenceLine(added)).toBe('+ pools/a  weight=3')
    expect(differenceLine({ ...added, kind: 'removed', before: added.after, after: null })).toBe('- pools/a  weight=3')
    expect(differenceLine({ kind: 'changed', subject: 'pools/a', field: 'owner', before: null, after: 'me\u001b' })).toBe('~ pools/a  owner: nothing -> me\\x1b')
  })
  test('of routes show the names that lead elsewhere, and no others', () => {
    const [before, after] = [{ 'a.example': 'x', 'b.example': 'x' }, { 'a.example': 'y', 'b.example': 'x', 'c.example': 'x' }]
    expect(differenceLine({ kind: 'changed', subject: 'routes', field: 'server_names', before, after })).toBe(
      '~ routes  server_names: a.example: x -> y, c.example: nothing -> x',
    )
  })
  test('end with the connections that would be touched', () => {
    const tried = { changes: true, differences: [added], open_connections: 1, ends_connections: 0 }
    expect(differenceLines(tried)).toBe('+ pools/a  weight=3\nIt would touch 1 open connection on this node, none of which it would end.')
    expect(differenceLines({ ...tried, changes: false })).toBe('Nothing would change.')
  })
})

describe('progress', () => {
  const terminal = (): Screen => Object.assign(new Screen(), { columns: 80, isTTY: true })
  test('is drawn on a terminal when a read takes long, and taken away again', () => {
    const [clock, stderr] = [new ManualClock(), terminal()]
    {
      using progress = progressOf({ clock, stderr }, 'records', 200)
      progress.add(50)
      clock.advance(400)
      expect(stderr.text).toBe('')
      clock.advance(200)
      expect(stderr.text).toContain('50/200 records')
    }
    expect(stderr.text.endsWith('\u001b[?25h') || stderr.text.includes('\u001b[0J') || stderr.text.includes('\u001b[2K')).toBe(true)
  })
  test('is nowhere else', () => {
    for (const [stderr, hidden] of [[new Screen(), false], [terminal(), true]] as const) {
      const clock = new ManualClock()
      using progress = progressOf({ clock, stderr }, 'records', 200, hidden)
      progress.add(50)
      clock.advance(1_000)
      expect(stderr.text).toBe('')
    }
  })
})

describe('output', () => {
  test('waits for a slow reader', async () => {
    let release = (): void => {}
    const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void (release = done) })
    let written = false
    const writing = new Output(slow, false).text('hello').then(() => (written = true))
    await Promise.resolve()
    expect(written).toBe(false)
    release()
    await writing
  })
  test('ends quietly when the reader is gone, and not when anything else is wrong', async () => {
    const broken = (code: string): Writable =>
      new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) })
    const printTwice = async (output: Output): Promise<void> => {
      await output.text('one')
      await new Promise((resolve) => setImmediate(resolve))
      await output.text('two')
    }
    await expect(printing(broken('EPIPE'), false, printTwice)).resolves.toBeUndefined()
    await expect(printing(broken('ENOSPC'), false, printTwice)).rejects.toThrow('ENOSPC')
  })
})
