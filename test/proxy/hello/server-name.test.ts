import { describe, expect, test } from 'vitest'
import { helloMessage, records, serverName } from '../../support/tls-hellos.ts'
import { helloOf, judge } from '../../support/tls-hellos-judge.ts'

const named = (name: string | Uint8Array) => helloOf(judge(records(helloMessage({ extensions: [serverName(name)] }))))
const label63 = 'a'.repeat(63)

describe('names that routes may match', () => {
  test.each([
    ['api.example', 'api.example'],
    ['API.Example', 'api.example'],
    ['localhost', 'localhost'],
    ['_dmarc.x-y.example', '_dmarc.x-y.example'],
    ['r3---sn-4g5e.example', 'r3---sn-4g5e.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['1.2.3.example', '1.2.3.example'],
    ['1.2.3', '1.2.3'],
    [`${label63}.example`, `${label63}.example`],
    [`${label63}.${label63}.${label63}.${'b'.repeat(61)}`, `${label63}.${label63}.${label63}.${'b'.repeat(61)}`],
  ])('%s', (sent, matchName) => {
    expect(named(sent)).toMatchObject({ serverName: matchName, serverNameKind: 'name', matchName, trailingDot: false })
  })

  test('one trailing dot is stripped and flagged, also past 253 bytes', () => {
    expect(named('api.example.')).toMatchObject({
      serverName: 'api.example.',
      serverNameKind: 'name',
      matchName: 'api.example',
      trailingDot: true,
      serverNameBytes: 12,
    })
    const longest = `${label63}.${label63}.${label63}.${'b'.repeat(61)}`
    expect(named(`${longest}.`).matchName).toBe(longest)
  })
})

describe('IP literals match no route', () => {
  test.each(['192.0.2.7', '192.0.2.7.', '999.1.1.1', '::1', '2001:DB8::7', '[2001:db8::7]', '::ffff:192.0.2.7'])('%s', sent => {
    expect(named(sent)).toMatchObject({ serverName: sent.toLowerCase(), serverNameKind: 'ip_literal', matchName: null })
  })
})

describe('what is no name matches no route', () => {
  test.each([
    ['a dot', '.', '.'],
    ['two trailing dots', 'a.example..', 'a.example..'],
    ['a leading dot', '.example', '.example'],
    ['an empty label', 'a..example', 'a..example'],
    ['a label of 64 bytes', `${label63}a.example`, `${label63}a.example`],
    ['254 bytes', `${label63}.${label63}.${label63}.${'b'.repeat(62)}`, `${label63}.${label63}.${label63}.${'b'.repeat(62)}`],
    ['a wildcard', '*.example', '*.example'],
    ['a port', 'a.example:443', 'a.example:443'],
    ['an address with a port', '192.0.2.7:443', '192.0.2.7:443'],
    ['a path', 'a.example/x', 'a.example/x'],
    ['a space', 'a b', 'a\\x20b'],
    ['NUL', 'a.example\0.evil', 'a.example\\x00.evil'],
    ['a line break', 'a\r\nb', 'a\\x0d\\x0ab'],
    ['an escape sequence', '\x1b[31m', '\\x1b[31m'],
    ['DEL', 'a\x7f', 'a\\x7f'],
    ['a backslash', '\\x00', '\\x5cx00'],
    ['UTF-8', Buffer.from('bücher.example'), 'b\\xc3\\xbccher.example'],
    ['a Kelvin sign, which Unicode lower-cases to k', Buffer.from('\u212aelvin'), '\\xe2\\x84\\xaaelvin'],
    ['capitals beside what is escaped', 'A\xc0B', 'a\\xc0b'],
  ])('%s', (_what, sent, serverName) => {
    expect(named(sent)).toMatchObject({ serverName, serverNameKind: 'invalid', matchName: null })
  })

  test('a huge one is shown by its beginning, with its true length', () => {
    const hello = named(Buffer.alloc(60_000, 0xff))
    expect(hello).toMatchObject({ serverNameKind: 'invalid', serverNameBytes: 60_000, serverName: '\\xff'.repeat(255) })
  })
})
