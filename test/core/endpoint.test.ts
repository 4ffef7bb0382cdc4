import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalIp, collides, formatEndpoint, isLoopback, parseEndpoint } from '../../src/core/endpoint.ts'

describe('parseEndpoint', () => {
  test.each([
    ['[::]:8443', { ip: '::', port: 8443 }],
    ['127.0.0.1:4000', { ip: '127.0.0.1', port: 4000 }],
    ['localhost:4000', { ip: '127.0.0.1', port: 4000 }],
    ['LocalHost:0', { ip: '127.0.0.1', port: 0 }],
    ['[0:0:0:0:0:0:0:1]:1', { ip: '::1', port: 1 }],
    ['[2001:DB8::00AB]:65535', { ip: '2001:db8::ab', port: 65_535 }],
  ])('%s', (text, value) => {
    expect(parseEndpoint(text)).toEqual({ value })
  })

  test.each([
    ['', 'not an address'],
    ['8443', 'not an address'],
    ['127.0.0.1', 'not an address'],
    ['::1:80', 'not an address'],
    ['127.0.0.1:', 'not a port'],
    ['127.0.0.1:65536', 'not a port'],
    ['127.0.0.1:-1', 'not a port'],
    ['127.0.0.1:0x50', 'not a port'],
    ['127.0.0.1: 80', 'not a port'],
    [':80', 'not an IP address'],
    ['example.com:80', 'write an IP literal'],
    ['010.0.0.1:80', 'not an IP address'],
    ['[127.0.0.1]:80', 'only IPv6'],
    ['[fe80::1%eth0]:80', 'zone id'],
    ['[::ffff:10.0.0.1]:80', 'write 10.0.0.1'],
  ])('refuses %s', (text, sentence) => {
    expect(parseEndpoint(text)).toEqual({ problem: expect.stringContaining(sentence) })
  })

  test('port 0 only where it is allowed', () => {
    expect(parseEndpoint('127.0.0.1:0', 1)).toHaveProperty('problem')
  })

  test('is the identity on its own output', () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6().filter((text) => !canonicalMapped(text)))
    fc.assert(
      fc.property(ip, fc.integer({ min: 0, max: 65_535 }), (text, port) => {
        const written = text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`
        const once = parseEndpoint(written)
        if ('problem' in once) throw new Error(`${written}: ${once.problem}`)
        expect(parseEndpoint(formatEndpoint(once.value))).toEqual(once)
      }),
    )
  })
})

function canonicalMapped(text: string): boolean {
  const ip = canonicalIp(text)
  return 'problem' in ip && ip.problem.includes('inside IPv6')
}

test.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['::1', true],
  ['10.0.0.1', false],
  ['::', false],
  ['0.0.0.0', false],
])('isLoopback(%s)', (ip, loopback) => {
  expect(isLoopback(ip)).toBe(loopback)
})

test.each([
  ['[::]:80', '[::]:80', true],
  ['[::]:80', '127.0.0.1:80', true],
  ['[::]:80', '[::1]:80', true],
  ['0.0.0.0:80', '127.0.0.1:80', true],
  ['0.0.0.0:80', '[::1]:80', false],
  ['127.0.0.1:80', '127.0.0.2:80', false],
  ['[::]:80', '[::]:81', false],
  ['127.0.0.1:0', '127.0.0.1:0', false],
])('collides(%s, %s), both ways', (one, other, expected) => {
  const [a, b] = [parseEndpoint(one), parseEndpoint(other)]
  if ('problem' in a || 'problem' in b) throw new Error('not addresses')
  expect(collides(a.value, b.value)).toBe(expected)
  expect(collides(b.value, a.value)).toBe(expected)
})
