import { describe, expect, test } from 'vitest'
import { protocolHint } from '../../../src/proxy/hello/protocol-hint.ts'

/** What an operator is told of clients that speak something else. */

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

test.each([
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n')],
  ['an HTTP request', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ['an HTTP request', Buffer.from('CONNECT example.test:443 HTTP/1.1\r\n')],
  ['a PostgreSQL SSLRequest', hex('00000008 04d2162f')],
  ['a PostgreSQL GSSENCRequest', hex('00000008 04d21630')],
  ['a PostgreSQL StartupMessage', Buffer.concat([hex('00000029 00030000'), Buffer.from('user\0app\0')])],
  ['a PROXY protocol header', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')],
  ['a PROXY protocol header', hex('0d0a0d0a000d0a515549540a 21 11 000c')],
  ['a SOCKS request', hex('05 01 00')],
  ['a SOCKS request', hex('04 01 01bb 7f000001 00')],
  ['a mail command', Buffer.from('EHLO client.example.test\r\n')],
  ['a mail command', Buffer.from('a1 STARTTLS\r\n')],
  ['an RDP request', hex('0300 0013 0e e0 0000 0000 00 01 0008 00 03000000')],
  ['an SSH greeting', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
])('%s', (hint, bytes) => {
  expect(protocolHint(bytes)).toBe(hint)
})

describe('nothing that is known', () => {
  test.each([['empty', ''], ['zeros', '00000000'], ['the beginning of an SSLRequest', '0000000804d2'], ['a word', '68656c6c6f']])('%s', (_, bytes) => {
    expect(protocolHint(hex(bytes))).toBeNull()
  })

  test('HTTP is told by its method and the space behind it', () => {
    expect(protocolHint(Buffer.from('GETTING'))).toBeNull()
  })
})

test('reads within its bytes only, wherever they lie', () => {
  const memory = Buffer.from('xxGET / HTTP/1.1')
  expect(protocolHint(memory.subarray(2))).toBe('an HTTP request')
  expect(protocolHint(memory.subarray(2, 5))).toBeNull()
})
