import { describe, expect, test } from 'vitest'
import { definitions } from '../../events/catalog.ts'
import { recordFilter, type RecordFilter } from '../../src/live/record-filter.ts'
import { exampleTime, exampleTraceparent, RecordChain, type MadeRecord, type Overrides } from '../support/records.ts'

const examples: readonly MadeRecord[] = definitions.flatMap((definition) => {
  const chain = new RecordChain(definition.stream)
  return definition.examples.map((example) => chain.make(definition, example as object))
})

const matching = (filter: RecordFilter, records = examples) =>
  records.filter(({ bytes }) => recordFilter(filter)(bytes)).map(({ event }) => event.type.slice('dev.waybill.'.length, -3))

/** A record with the data of the first example of its type, but for what is given. */
function record(type: string, data: object = {}, overrides: Overrides = {}): MadeRecord {
  const definition = definitions.find((each) => each.type === `dev.waybill.${type}.v1`)!
  return new RecordChain(definition.stream).make(definition, { ...(definition.examples[0] as object), ...data }, overrides)
}

test('without a filter every record matches', () => {
  expect(matching({})).toHaveLength(examples.length)
})

describe('by type', () => {
  test.each([
    ['backend.drained', ['backend.drained']],
    ['dev.waybill.backend.drained.v1', ['backend.drained']],
    ['dev.waybill.backend.drained', ['backend.drained']],
    ['backend.drained.v1', ['backend.drained']],
    ['backend.drained.v2', []],
    ['backend.drain', []],
    ['listener', ['listener.bound', 'listener.failed', 'listener.closed', 'listener.changed']],
    ['dev.waybill.listener', ['listener.bound', 'listener.failed', 'listener.closed', 'listener.changed']],
    ['listen', []],
    ['', []],
  ])('%s', (type, expected) => {
    expect(matching({ type })).toEqual(expected)
  })

  test('dev.waybill is the front of all', () => {
    expect(matching({ type: 'dev.waybill' })).toEqual([])
    expect(new Set(definitions.map(({ type }) => type.split('.')[2])).size).toBeGreaterThan(5)
  })
})

describe('by subject', () => {
  test.each([
    ['pools/secure-app', ['pool.created', 'pool.changed', 'pool.removed']],
    ['pools/secure', []],
    ['pools/secure*', ['pool.created', 'pool.changed', 'pool.removed']],
    ['listeners/pools/*', ['listener.failed']],
    ['*secure-app', []],
  ])('%s', (subject, expected) => {
    expect(matching({ subject })).toEqual(expected)
  })

  test('also one that JSON has to escape', () => {
    const subject = String.raw`files/"a\b`
    const odd = record('node.started', {}, { subject })
    expect(odd.text).toContain('\\')
    expect(matching({ subject }, [odd])).toEqual(['node.started'])
    expect(matching({ subject: 'files/"a*' }, [odd])).toEqual(['node.started'])
  })
})

test('a record that came of a traced request is found like any other', () => {
  const traced = record('pool.changed', {}, { subject: 'pools/secure-app', traceparent: exampleTraceparent })
  expect(matching({ subject: 'pools/secure-app', type: 'pool.changed', from: exampleTime }, [traced])).toEqual(['pool.changed'])
  expect(matching({ to: exampleTime }, [traced])).toEqual([])
})

describe('by what it names', () => {
  test('a pool: what is about it, its backends, its listener, its connections and refusals', () => {
    const found = matching({ pool: 'secure-app' })
    expect(found).toEqual(expect.arrayContaining(['pool.created', 'backend.added', 'health.changed', 'health.drain_completed', 'listener.failed']))
    expect(found).not.toContain('connection.opened')
    expect(matching({ pool: 'payments' })).toEqual(['connection.opened', 'connection.progress', 'connection.closed'])
    expect(matching({ pool: 'pay' })).toEqual([])
  })

  test('a pool: changes of its own listener, and of any that sends clients there', () => {
    const changes = [
      record('listener.changed', { listener: 'pools/own', set: { no_sni: 'refuse' } }),
      record('listener.changed', { listener: 'shared', set: { no_sni: { pool: 'legacy' } } }),
      record('listener.changed', { listener: 'shared', set: { no_sni: null } }),
    ]
    expect(matching({ pool: 'own' }, changes)).toEqual(['listener.changed'])
    expect(matching({ pool: 'legacy' }, changes)).toEqual(['listener.changed'])
    expect(matching({ pool: 'refuse' }, changes)).toEqual([])
    // That clients no longer go there names no pool: only a trail can know.
    expect(matching({ pool: 'legacy' }, [record('listener.changed', { listener: 'shared', set: { no_sni: null } })])).toEqual([])
  })

  test('a backend: also inside of a pool that was created with it, and where a dial of it failed', () => {
    const found = matching({ backend: 'backend1.internal:8443' })
    expect(found).toEqual(expect.arrayContaining(['backend.added', 'backend.removed', 'health.changed', 'pool.created']))
    expect(matching({ backend: '10.0.4.10:8443' })).toEqual(['connection.opened', 'connection.progress'])
    expect(matching({ backend: '10.0.4.11:8443' })).toEqual(['connection.opened', 'connection.progress', 'connection.closed'])
  })

  test('an actor who is named like a backend is none', () => {
    const odd = record('pool.changed', { actor: { authn: 'none', id: '10.0.4.10:8443', type: 'local' } })
    expect(matching({ backend: '10.0.4.10:8443' }, [odd])).toEqual([])
    expect(matching({ actor: '10.0.4.10:8443' }, [odd])).toEqual(['pool.changed'])
  })

  test('an actor: also one who ended a connection', () => {
    const close = { actor: { authn: 'none', id: 'ada', type: 'local' }, because: 'operator_ended', by: 'operator', code: null, phase: 'relay' }
    expect(matching({ actor: 'ada' }, [record('connection.closed', { close }), record('connection.closed')])).toEqual(['connection.closed'])
    expect(matching({ actor: 'loopback' })).toEqual(expect.arrayContaining(['access.granted', 'log.read', 'pool.created']))
    expect(matching({ actor: 'loop' })).toEqual([])
  })

  test('a connection', () => {
    expect(matching({ connection: '0198c0de-0000-7000-8000-000000000001' })).toEqual(['connection.opened', 'connection.progress', 'connection.closed'])
  })

  test('not because a text in it looks like a field', () => {
    const reason = '","pool":"forged","connection_id":"forged","id":"forged"},"subject":"pools/forged","time":"2020-01-01T00:00:00.000Z","type":"dev.waybill.forged.v1"}'
    const change = { approved_by: null, reason, requested_by: null, ticket: null }
    const forged = [record('pool.changed', { change })]
    expect(matching({ pool: 'forged' }, forged)).toEqual([])
    expect(matching({ actor: 'forged' }, forged)).toEqual([])
    expect(matching({ connection: 'forged' }, forged)).toEqual([])
    expect(matching({ type: 'forged' }, forged)).toEqual([])
    expect(matching({ subject: 'pools/forged' }, forged)).toEqual([])
    expect(matching({ to: '2021-01-01T00:00:00Z' }, forged)).toEqual([])
    expect(matching({ pool: 'secure-app', type: 'pool.changed', from: '2021-01-01T00:00:00Z' }, forged)).toEqual(['pool.changed'])
  })
})

describe('by time', () => {
  const records = ['2026-11-24T07:59:59.999Z', '2026-11-24T08:00:00.000Z', '2026-11-24T08:00:00.001Z'].map((time) => record('pool.changed', {}, { time }))
  const times = (filter: RecordFilter) => records.filter(({ bytes }) => recordFilter(filter)(bytes)).map(({ event }) => event.time.slice(11, 23))

  test('from is part of it, to is not, so that windows meet without a gap or an overlap', () => {
    expect(times({ from: '2026-11-24T08:00:00Z' })).toEqual(['08:00:00.000', '08:00:00.001'])
    expect(times({ to: '2026-11-24T08:00:00Z' })).toEqual(['07:59:59.999'])
    expect(times({ from: '2026-11-24T09:00:00+01:00', to: '2026-11-24T08:00:00.001Z' })).toEqual(['08:00:00.000'])
  })

  test('what is no time is said at once', () => {
    expect(() => recordFilter({ from: 'yesterday' })).toThrow(RangeError)
    expect(() => recordFilter({ to: '2026-02-30T00:00:00Z' })).toThrow('"2026-02-30T00:00:00Z" is not a time')
  })
})

test('several filters narrow together', () => {
  expect(matching({ actor: 'loopback', pool: 'secure-app', type: 'backend' })).toHaveLength(5)
  expect(matching({ backend: '10.0.4.11:8443', connection: '0198c0de-0000-7000-8000-000000000001', type: 'connection.closed' })).toEqual(['connection.closed'])
})

test('bytes that are no record match no filter', () => {
  for (const text of ['', '{}', 'x', '"type":"dev.waybill.pool.created.v1"}', '{"pool":"a"']) {
    expect(recordFilter({ type: 'pool' })(Buffer.from(text))).toBe(false)
    expect(recordFilter({ pool: 'a' })(Buffer.from(text))).toBe(false)
  }
})
