import { describe, expect, test } from 'vitest'
import { instruments, labelTable, otelName, prometheusName, type Instrument, type InstrumentName } from '../../src/telemetry/instruments.ts'

/** The table of metrics keeps to what both sides expect of names, and to what was promised. */

const names = Object.keys(instruments) as InstrumentName[]
const table: Readonly<Record<InstrumentName, Instrument>> = instruments

describe('names that dashboards may count on', () => {
  test.each([
    ['connections.opened', 'waybill_connections_opened_total', ['pool', 'backend']],
    ['connections.active', 'waybill_connections_active', ['pool', 'backend']],
    ['connections.refused', 'waybill_connections_refused_total', ['reason']],
    ['connections.closed', 'waybill_connections_closed_total', ['reason']],
    ['bytes', 'waybill_bytes_total', ['pool', 'backend', 'direction']],
    ['backend.up', 'waybill_backend_up', ['pool', 'backend']],
    ['backend.dial.failures', 'waybill_backend_dial_failures_total', ['pool', 'backend', 'reason']],
  ] as const)('%s is %s', (name, shown, labels) => {
    expect(prometheusName(name)).toBe(shown)
    expect(table[name].labels).toEqual(labels)
  })
})

describe.each(names)('%s', (name) => {
  const { buckets, description, kind, labels, unit } = table[name]
  const shown = prometheusName(name)

  test('has a name that promtool finds nothing to say about', () => {
    expect(shown).toMatch(/^waybill(_[a-z]+)+$/)
    expect(shown.endsWith('_total')).toBe(kind === 'counter')
    expect(shown).not.toMatch(/_(count|sum|bucket|info_.*|milliseconds|ms|kb|percent)$/)
    expect(otelName(name)).toBe(`waybill.${name}`)
    // A unit that is not in braces is a base unit, and stands once in the name.
    if (!unit.startsWith('{')) expect(shown.match(/seconds|bytes/g)).toHaveLength(1)
    expect(unit).toMatch(/^(\{[a-z]+\}|s|By)$/)
  })

  test('says what it is', () => {
    expect(description).toMatch(/^\w[^]*\.$/)
    for (const label of labels) expect(labelTable[label].description).not.toBe('')
    expect(new Set(labels).size).toBe(labels.length)
  })

  test('has buckets if it is a histogram, in order', () => {
    expect(buckets !== undefined).toBe(kind === 'histogram')
    expect(buckets ?? []).toEqual((buckets ?? []).toSorted((one, other) => one - other))
  })
})

test('no two have the same name', () => {
  expect(new Set(names.map(prometheusName)).size).toBe(names.length)
})
