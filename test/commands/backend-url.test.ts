import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BackendId } from '../../events/values.ts'
import { parseBackendUrl } from '../../src/commands/backend-url.ts'

test('a password is not repeated to whoever made a mistake', () => {
  expect(parseBackendUrl('user:hunter2@h:443')).toEqual({ problem: expect.not.stringContaining('hunter2') })
})

describe('parseBackendUrl', () => {
  test.each([
    ['https://backend1.internal:8443', 'backend1.internal:8443', 'backend1.internal', 8443],
    ['https://backend1.internal', 'backend1.internal:443', 'backend1.internal', 443],
    ['HTTPS://Backend1.INTERNAL:0443', 'backend1.internal:443', 'backend1.internal', 443],
    ['https://10.0.4.11', '10.0.4.11:443', '10.0.4.11', 443],
    ['https://[2001:DB8:0:0:0:0:0:1]:8443', '[2001:db8::1]:8443', '2001:db8::1', 8443],
    ['https://[1:0:0:2:0:0:0:3]', '[1:0:0:2::3]:443', '1:0:0:2::3', 443],
    ['https://[1:0:2:3:4:5:6:7]', '[1:0:2:3:4:5:6:7]:443', '1:0:2:3:4:5:6:7', 443],
    ['https://bücher.example', 'xn--bcher-kva.example:443', 'xn--bcher-kva.example', 443],
    ['https://faß.example', 'xn--fa-hia.example:443', 'xn--fa-hia.example', 443],
    ['https://my_service', 'my_service:443', 'my_service', 443],
  ])('%s', (url, id, host, port) => {
    expect(parseBackendUrl(url)).toEqual({ value: { id, host, port } })
    expect(BackendId.safeParse(id).success).toBe(true)
  })

  test.each([
    ['', 'is not a URL'],
    ['backend1.internal:8443', 'is not a URL'],
    [' https://a', 'is not a URL'],
    ['http://a', 'the scheme is "http"'],
    ['tcp://a:1', 'the scheme is "tcp"'],
    ['https://', 'the host is missing'],
    ['https://:443', 'the host is missing'],
    ['https://a/', 'has a path ("/")'],
    ['https://a/x?y#z', 'has a path'],
    ['https://a\\b', 'has a path'],
    ['https://a?x', 'has a query'],
    ['https://a#x', 'has a fragment'],
    ['https://me:secret@a', 'no user or password'],
    ['https://me@a/@', 'no user or password'],
    ['https://a:', 'is not a port'],
    ['https://a:0', 'is not a port'],
    ['https://a:65536', 'is not a port'],
    ['https://a:8 0', 'is not a port'],
    ['https://a:b:c', 'is not a port'],
    ['https://2001:db8::1', 'is not a port'],
    ['https://[::1', 'not host or host:port'],
    ['https://[]', 'only IPv6'],
    ['https://[10.0.0.1]', 'only IPv6'],
    ['https://[fe80::1%25eth0]', 'zone id'],
    ['https://[::ffff:10.0.0.1]', 'write 10.0.0.1'],
    ['https://[::]', 'names no machine'],
    ['https://0.0.0.0', 'names no machine'],
    ['https://010.0.0.1', 'ends in a number'],
    ['https://10.1', 'ends in a number'],
    ['https://0x7f.1', 'ends in a number'],
    ['https://１２７.0.0.1', 'ends in a number'],
    ['https://a.0x', 'ends in a number'],
    ['https://a.08', 'ends in a number'],
    ['https://a%2eb', "can't stand in a host name"],
    ['https://a b', "can't stand in a host name"],
    ['https://a\tb', "can't stand in a host name"],
    ['https://-a', 'is not a host name'],
    ['https://a..b', 'is not a host name'],
    ['https://a.', 'ends in a dot'],
    ['https://\u00ad', 'is not a host name'],
    ['https://a\ud800', 'is not a host name'],
    [`https://${'a'.repeat(64)}`, 'is not a host name'],
  ])('refuses %s', (url, sentence) => {
    expect(parseBackendUrl(url)).toEqual({ problem: expect.stringContaining(sentence) })
  })

  test('bounds names and URLs', () => {
    const longest = `${'a.'.repeat(126)}b`
    expect(parseBackendUrl(`https://${longest}`)).toMatchObject({ value: { host: longest } })
    expect(parseBackendUrl(`https://a.${longest}`)).toEqual({ problem: expect.stringContaining('at most 253') })
    expect(parseBackendUrl(`https://${'a'.repeat(3_000)}`)).toEqual({ problem: expect.stringContaining('at most 2048') })
  })

  test('never repeats a password', () => {
    expect(JSON.stringify(parseBackendUrl('https://me:secret@a'))).not.toContain('secret')
  })

  test('whatever it accepts is canonical: https:// and its id give the same again, and the id fits the record', () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip}]`),
      fc.domain(),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.stringMatching(/^[a-zA-Z0-9._-]{1,30}$/),
    )
    const port = fc.option(fc.integer({ min: 0, max: 70_000 }).map((number) => `:${number}`), { nil: '' })
    let accepted = 0
    fc.assert(
      fc.property(host, port, (hostText, portText) => {
        const once = parseBackendUrl(`https://${hostText}${portText}`)
        if ('problem' in once) return
        accepted += 1
        expect(parseBackendUrl(`https://${once.value.id}`)).toEqual(once)
        expect(BackendId.safeParse(once.value.id).success).toBe(true)
      }),
      { numRuns: 2_000 },
    )
    expect(accepted).toBeGreaterThan(500)
  })
})
