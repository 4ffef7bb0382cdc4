import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { readTraceparent, spanIdsOf, traceparentOf } from '../../src/core/tracing.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const whole = `00-${traceId}-${spanId}-01`

describe('a traceparent (W3C Trace Context, section 3.2)', () => {
  test.each([
    ['sampled', whole, true, whole],
    ['not sampled', `00-${traceId}-${spanId}-00`, false, `00-${traceId}-${spanId}-00`],
    ['with a flag of a later version, kept as it came', `00-${traceId}-${spanId}-03`, true, `00-${traceId}-${spanId}-03`],
    ['of a later version: what version 00 has of it', `cc-${traceId}-${spanId}-01`, true, whole],
    ['of a later version with more behind it', `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`, true, whole],
    ['of a later version with other flags', `cc-${traceId}-${spanId}-fe`, false, `00-${traceId}-${spanId}-00`],
  ])('%s', (_what, header, isSampled, text) => {
    expect(readTraceparent(header)).toEqual({ traceId, spanId, isSampled, text })
  })

  // The cases of the validation service of the W3C (github.com/w3c/trace-context, test/test.py) that are about this header.
  test.each([
    ['nothing', ''],
    ['two in one', `${whole},${whole}`],
    ['two as Node joins them', `${whole}, ${whole}`],
    ['version ff', whole.replace(/^00/, 'ff')],
    ['a version that is no number', whole.replace(/^00/, '.0')],
    ['a short version', whole.slice(1)],
    ['a long version', `0${whole}`],
    ['version 00 with more behind it', `${whole}-what-the-future-will-be-like`],
    ['version 00 with a dash behind it', `${whole}-`],
    ['a later version with more right behind it', `cc-${traceId}-${spanId}-01.what`],
    ['a trace id of zeros', whole.replace(traceId, '0'.repeat(32))],
    ['a trace id that is no number', whole.replace('4bf9', '.bf9')],
    ['a short trace id', whole.replace('4bf9', '4bf')],
    ['a long trace id', whole.replace('4bf9', '4bf9a')],
    ['a span id of zeros', whole.replace(spanId, '0'.repeat(16))],
    ['a span id that is no number', whole.replace('00f0', '.0f0')],
    ['a short span id', whole.replace('00f0', '0f0')],
    ['a long span id', whole.replace('00f0', '00f00')],
    ['flags that are no number', whole.replace(/01$/, '.0')],
    ['short flags', whole.slice(0, -1)],
    ['long flags', `${whole}0`],
    ['capitals', whole.toUpperCase()],
    ['blanks around it', ` ${whole} `],
    ['a line break', `${whole}\n`],
    ['a cut one', whole.slice(0, 30)],
    ['an endless one', `cc${whole.slice(2)}-${'x'.repeat(10_000)}`],
  ])('%s is none', (_what, header) => {
    expect(readTraceparent(header)).toBeNull()
  })

  test('not there, or there more than once, is none', () => {
    expect(readTraceparent(undefined)).toBeNull()
    expect(readTraceparent([whole, whole])).toBeNull()
  })

  test('whatever comes, what goes on record is 55 characters of version 00, or nothing', () => {
    const digits = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF-. "\\\0é'.split('')), minLength: 0, maxLength: length + 1 })
    const nearly = fc.tuple(digits(2), digits(32), digits(16), digits(2), fc.string({ maxLength: 3 })).map(([a, b, c, d, e]) => `${a}-${b}-${c}-${d}${e}`)
    const hex = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length })
    const valid = fc.tuple(hex(2), hex(32), hex(16), hex(2)).map((parts) => parts.join('-'))
    fc.assert(
      fc.property(fc.oneof(nearly, valid, fc.string({ unit: 'binary' })), (header) => {
        const read = readTraceparent(header)
        if (read === null) return
        expect(read.text).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
        expect(readTraceparent(read.text)).toEqual(read)
        expect([read.traceId, read.spanId]).not.toEqual(expect.arrayContaining([expect.stringMatching(/^0+$/)]))
      }),
      { numRuns: 2_000 },
    )
  })
})

test('the ids of a span are those of the record, and a record of any id has a valid trace', () => {
  expect(spanIdsOf('0198c0de-0000-7000-8000-000000000001')).toEqual({ traceId: '0198c0de000070008000000000000001', spanId: '8000000000000001' })
  const makeId = idMaker(systemClock, systemRandom)
  for (let made = 0; made < 1_000; made += 1) {
    const { spanId: span, traceId: trace } = spanIdsOf(makeId())
    expect(readTraceparent(traceparentOf(trace, span, true))).toMatchObject({ isSampled: true, spanId: span, traceId: trace })
    expect(readTraceparent(traceparentOf(trace, span, false))).toMatchObject({ isSampled: false })
  }
})
