import { expect, test } from 'vitest'
import { keysMax, Tally, type CountedCall } from '../../src/api/tally.ts'

type Origin = CountedCall['origin']

function tally(): Tally {
  return new Tally({
    keyOf: ({ origin, path }) => `${origin.ip} ${path}`,
    othersOf: (call) => ({ ...call, origin: { ...call.origin, ip: null, port: null }, path: '*' }),
  })
}

function call(origin: Partial<Origin> = {}, more: Partial<CountedCall> = {}): CountedCall {
  return {
    actor: { authn: 'none', id: 'loopback', type: 'local' }, because: null, count: 1, method: 'GET',
    origin: { ip: '127.0.0.1', port: 1, via: 'api', ...origin }, path: '/', recordId: 'record', requestId: 'request', sinceMs: 10, status: 200,
    traceparent: '00-0198c0de000070008000000000000005-00f067aa0ba902b7-01',
    ...more,
  }
}

test('one call keeps its port, its request, its record and its trace; what stands for several names none', () => {
  const it = tally()
  it.add(call({ port: 7 }), 0)
  expect(it.takeDue(0)).toEqual([call({ port: 7 })])
  it.add(call({ port: 8 }, { sinceMs: 12 }), 0)
  it.add(call({ port: 9 }, { sinceMs: 11, count: 3 }), 0)
  expect(it.takeDue(0)).toEqual([call({ port: null }, { count: 4, recordId: null, requestId: null, sinceMs: 11, traceparent: null })])
  expect(it.takeDue(Infinity)).toEqual([])
})

test('all of a key are due with the first of them', () => {
  const it = tally()
  it.add(call(), 60)
  it.add(call(), 90)
  it.add(call({}, { path: '/other' }), 70)
  expect(it.takeDue(59)).toEqual([])
  expect(it.takeDue(60).map(({ count, path }) => [path, count])).toEqual([['/', 2]])
  expect(it.takeDue(70).map(({ count, path }) => [path, count])).toEqual([['/other', 1]])
})

test('more keys than are told apart are counted together, exactly', () => {
  const it = tally()
  for (let index = 0; index < 3 * keysMax; index += 1) it.add(call({ ip: `127.0.${index >> 8}.${index & 255}` }), 0)
  it.add(call({ ip: '127.0.0.0' }), 0)
  const all = it.takeDue(0)
  expect(all).toHaveLength(keysMax + 1)
  expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(3 * keysMax + 1)
  expect(all.filter(({ origin }) => origin.ip === null)).toMatchObject([{ count: 2 * keysMax, path: '*' }])
  expect(all.find(({ origin }) => origin.ip === '127.0.0.0')?.count).toBe(2)
})
