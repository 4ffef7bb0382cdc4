import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instantMs, rfc3339 } from '../../src/core/clock.ts'

/** Times as people and programs write them, and as records have them. */

test.each([
  ['2026-11-24T08:00:00Z', '2026-11-24T08:00:00.000Z'],
  ['2026-11-24t08:00:00.5z', '2026-11-24T08:00:00.500Z'],
  ['2026-11-24 08:00:00Z', '2026-11-24T08:00:00.000Z'],
  ['2026-11-24T09:30:00.123456789+01:30', '2026-11-24T08:00:00.123Z'],
  ['2024-02-29T23:59:59-00:30', '2024-03-01T00:29:59.000Z'],
])('%s is %s', (text, canonical) => {
  const ms = instantMs(text)
  expect(ms).not.toBeNull()
  expect(rfc3339(ms!)).toBe(canonical)
})

test.each([
  '', 'now', '2026-11-24', '2026-11-24T08:00Z', '2026-11-24T08:00:00', '2026-02-30T08:00:00Z', '2025-02-29T08:00:00Z', '2026-13-01T08:00:00Z',
  '2026-11-24T24:00:00Z', '2026-11-24T08:60:00Z', '2026-11-24T08:00:60Z', '2026-11-24T08:00:00+99:00', '-000001-01-01T00:00:00Z',
  ' 2026-11-24T08:00:00Z', '2026-11-24T08:00:00Z\n', '1795507200000', '20261124T080000Z',
])('%j is no time', (text) => {
  expect(instantMs(text)).toBeNull()
})

test('what records have is read as what it was made from', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }), (ms) => {
      expect(instantMs(rfc3339(ms))).toBe(ms)
    }),
  )
})
