import fc from 'fast-check'
import { expect, test } from 'vitest'
import { closeParties, closeReasons, refusalReasons } from '../../events/connection.ts'
import { backendChecked, connectionClosed, connectionOpened, connectionRefused, dialFailed } from '../../src/core/channels.ts'
import { closedData, openedData, stand, type Stand } from './played-sources.ts'

/** Whatever happens in whatever order, the metrics are what a person with a sheet of paper would have counted. */

type Step =
  | { readonly kind: 'open'; readonly at: string }
  | { readonly kind: 'check'; readonly at: string; readonly fails: boolean }
  | { readonly kind: 'grow'; readonly which: number; readonly bytes: number }
  | { readonly kind: 'close'; readonly which: number; readonly because: (typeof closeReasons)[number]; readonly by: (typeof closeParties)[number] }
  | { readonly kind: 'refuse'; readonly because: (typeof refusalReasons)[number] }
  | { readonly kind: 'dial'; readonly at: string; readonly code: string }
  | { readonly kind: 'collect' }

const places = ['a b:1', 'a c:1', 'd b:1']
const at = fc.constantFrom(...places)
const which = fc.nat(20)
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('open' as const), at }), weight: 3 },
  fc.record({ kind: fc.constant('check' as const), at, fails: fc.boolean() }),
  { arbitrary: fc.record({ kind: fc.constant('grow' as const), which, bytes: fc.nat(2 ** 40) }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant('close' as const), which, because: fc.constantFrom(...closeReasons), by: fc.constantFrom(...closeParties) }), weight: 3 },
  fc.record({ kind: fc.constant('refuse' as const), because: fc.constantFrom(...refusalReasons) }),
  fc.record({ kind: fc.constant('dial' as const), at, code: fc.constantFrom('ECONNREFUSED', 'ETIMEDOUT', 'ENONSENSE') }),
  fc.record({ kind: fc.constant('collect' as const) }),
)

interface Open {
  readonly place: string
  bytes: number
}

/** The sheet of paper: one line a series. */
class Sheet {
  readonly counted = new Map<string, number>()
  readonly open: Open[] = []

  add(series: string, amount = 1): void {
    this.counted.set(series, (this.counted.get(series) ?? 0) + amount)
  }

  lines(): Map<string, number> {
    const lines = new Map(this.counted)
    for (const { bytes, place } of this.open) {
      for (const [direction, factor] of [['to_backend', 1], ['to_client', 2]] as const) {
        const series = `waybill_bytes_total{${labels(place)},direction="${direction}"}`
        lines.set(series, (lines.get(series) ?? 0) + bytes * factor)
      }
      const active = `waybill_connections_active{${labels(place)}}`
      lines.set(active, (lines.get(active) ?? 0) + 1)
    }
    return lines
  }
}

function labels(place: string): string {
  const [pool, backend] = place.split(' ')
  return `pool="${pool}",backend="${backend}"`
}

const inOrder: readonly string[] = ['finished', 'node_lost']

function take(played: Stand, sheet: Sheet, step: Exclude<Step, { kind: 'collect' }>): void {
  const [pool = '', backend = ''] = 'at' in step ? step.at.split(' ') : []
  if (step.kind === 'open') {
    connectionOpened.tell({ acceptedMs: 0, dialMs: 0, helloMs: 0, opened: openedData({ backend, pool }), recordMs: 0 })
    sheet.add(`waybill_connections_opened_total{${labels(step.at)}}`)
    sheet.open.push({ bytes: 0, place: step.at })
  } else if (step.kind === 'check') {
    backendChecked.tell({ backend, code: step.fails ? 'timeout' : null, ms: 1, pool })
    sheet.add(`waybill_backend_checks_total{${labels(step.at)},result="${step.fails ? 'failed' : 'succeeded'}"}`)
  } else if (step.kind === 'grow') {
    const open = sheet.open[step.which]
    if (open !== undefined) open.bytes += step.bytes
  } else if (step.kind === 'refuse') {
    connectionRefused.tell({ afterMs: null, attempts: 0, because: step.because, listener: 'shared', pool: null, record: null })
    sheet.add(`waybill_connections_refused_total{reason="${step.because}"}`)
  } else if (step.kind === 'dial') {
    dialFailed.tell({ backend, code: step.code, ms: 1, pool })
    sheet.add(`waybill_backend_dial_failures_total{${labels(step.at)},reason="${step.code === 'ENONSENSE' ? 'other' : step.code}"}`)
  } else close(sheet, step)
  played.sources.opened.length = 0
  for (const { bytes, place } of sheet.open) {
    const [itsPool = '', itsBackend = ''] = place.split(' ')
    played.sources.opened.push({ backend: itsBackend, bytesToBackend: bytes, bytesToClient: bytes * 2, connections: 1, pool: itsPool })
  }
}

function close(sheet: Sheet, { because, by, which: index }: Extract<Step, { kind: 'close' }>): void {
  const [open] = sheet.open.splice(index, 1)
  if (open === undefined) return
  const [pool = '', backend = ''] = open.place.split(' ')
  const data = { backend, bytes_to_backend: open.bytes, bytes_to_client: open.bytes * 2, close: { actor: null, because, by, code: null, phase: 'relay' as const }, pool }
  connectionClosed.tell({ closed: closedData(data), closedMs: 0, opened: openedData() })
  sheet.add(`waybill_bytes_total{${labels(open.place)},direction="to_backend"}`, open.bytes)
  sheet.add(`waybill_bytes_total{${labels(open.place)},direction="to_client"}`, open.bytes * 2)
  sheet.add(`waybill_connections_closed_total{reason="${because}"}`)
  if (!inOrder.includes(because)) sheet.add(`waybill_connections_reset_total{by="${by}"}`)
}

const compared = /^waybill_(?:bytes|connections_(?:active|closed|opened|refused|reset)|backend_(?:checks|dial_failures))/

test('they are what was counted, after every step, and no counter ever goes down', async () => {
  const history = fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
    using played = stand()
    const sheet = new Sheet()
    let before: ReadonlyMap<string, number> = new Map()
    for (const each of [...steps, { kind: 'collect' } as const]) {
      if (each.kind !== 'collect') {
        take(played, sheet, each)
        continue
      }
      const shown = await played.series()
      const counted = [...shown].filter(([name, value]) => compared.test(name) && value !== 0)
      expect(new Map(counted)).toEqual(new Map([...sheet.lines()].filter(([, value]) => value !== 0)))
      for (const [name, value] of before) if (/_total\b/.test(name)) expect(shown.get(name)).toBeGreaterThanOrEqual(value)
      before = shown
    }
  })
  await fc.assert(history, { numRuns: 150 })
})

test('100,000 connections leave the number of series as it was after the first of each kind', async () => {
  using played = stand()
  for (const place of places) played.sources.configured.set(place.split(' ')[0]!, [{ id: place.split(' ')[1]!, isUp: true, weight: 1 }])
  let next = 0
  const pass = (connections: number): void => {
    for (let index = 0; index < connections; index += 1) {
      const number = (next += 1)
      const [pool = '', backend = ''] = places[number % places.length]!.split(' ')
      const client = { ip: `198.51.${(number >> 8) % 256}.${number % 256}`, port: number % 65_536 }
      const server_name = `name-${number}.example.test`
      const opened = openedData({ backend, client, pool, server_name })
      connectionOpened.tell({ acceptedMs: 0, dialMs: number, helloMs: 0, opened, recordMs: number })
      const because = closeReasons[number % closeReasons.length]!
      const cipher = ['TLS_AES_128_GCM_SHA256', `0x${(number % 65_536).toString(16).padStart(4, '0')}`][number % 2]!
      const data = { backend, client, close: { actor: null, because, by: closeParties[number % 4]!, code: null, phase: 'relay' as const }, pool, server_name }
      connectionClosed.tell({ closed: closedData({ ...data, tls: { ...closedData().tls!, cipher } }), closedMs: number, opened })
      dialFailed.tell({ backend, code: number % 2 === 0 ? 'ECONNREFUSED' : `E${number}`, ms: 1, pool })
    }
  }
  pass(120)
  const few = await played.series()
  pass(100_000 - 120)
  const many = await played.series()
  expect([...many.keys()].toSorted()).toEqual([...few.keys()].toSorted())
  expect(many.get('waybill_connections_closed_total{reason="finished"}')).toBeGreaterThan(5_000)
})
