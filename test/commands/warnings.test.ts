import { expect, test } from 'vitest'
import { decideChangeListener } from '../../src/commands/change-listener.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { warningsOfListener, warningsOfPool } from '../../src/commands/warnings.ts'
import { given, type Given } from './decide.ts'
import { named, pool } from './wishes.ts'

function warningsAbout({ state }: Given, name: string): readonly string[] {
  return warningsOfPool(state, state.pools.get(name)!)
}
const unreachable = [expect.stringContaining('No route leads to pool') as unknown]

test('a pool that nothing leads to', () => {
  const before = given().and(decideCreatePool, pool('a')).and(decideCreatePool, pool('b')).and(decideCreatePool, named('c'))
  expect([warningsAbout(before, 'a'), warningsAbout(before, 'c')]).toEqual([[], []])
  expect(warningsAbout(before, 'b')).toEqual([expect.stringContaining('No route leads to pool "b"')])
  const after = before.and(decideChangeListener, { listener: 'shared', set: { sslv2: { pool: 'b' } } })
  expect(warningsAbout(after, 'b')).toEqual([])
})

test('a default route whose both cases go somewhere else', () => {
  const before = given().and(decideCreatePool, pool('a')).and(decideCreatePool, named('b'))
  const one = before.and(decideChangeListener, { listener: 'shared', set: { no_sni: { pool: 'b' } } })
  expect(warningsAbout(one, 'a')).toEqual([])
  const both = one.and(decideChangeListener, { listener: 'shared', set: { unknown_sni: 'refuse' } })
  expect(warningsAbout(both, 'a')).toEqual(unreachable)
})

test('a listener on which something is set in place of the default route', () => {
  const before = given().and(decideCreatePool, pool('a')).and(decideCreatePool, named('b', { listen: 9443 }))
  expect(warningsOfListener(before.state, 'shared')).toEqual([])
  const same = before.and(decideChangeListener, { listener: 'shared', set: { no_sni: { pool: 'a' } } })
  expect(warningsOfListener(same.state, 'shared')).toEqual([])
  const set = same.and(decideChangeListener, { listener: 'shared', set: { no_sni: { pool: 'b' }, unknown_sni: 'refuse' } })
  expect(warningsOfListener(set.state, 'shared')).toEqual([
    expect.stringMatching(/^Pool "a" is the default route, but listener "shared" has no_sni and unknown_sni set/),
  ])
  // The default route is the shared listener's business only.
  expect(warningsOfListener(set.state, 'pools/b')).toEqual([])
  const own = before.and(decideChangeListener, { listener: 'pools/b', set: { no_sni: 'refuse' } })
  expect(warningsOfListener(own.state, 'pools/b')).toEqual([])
})
