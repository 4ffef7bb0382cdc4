import { once } from 'node:events'
import tls from 'node:tls'
import { describe, expect, test } from 'vitest'
import { fatalAlert, plainHello, tapBackend, tcpBackend, tcpClient } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { helloMessage, records, serverName } from '../support/tls-hellos.ts'

/** What becomes of clients whose hello leads nowhere, on real sockets. */

const hello = plainHello()
const sslv2Hello = Buffer.from('802e010301001500000010000005000004000003000006000007' + '00'.repeat(22), 'hex')

/** What the client gets and how it ends, and what is on record of it. */
async function refused(rig: Rig, bytes: Uint8Array, port = rig.port) {
  const client = await tcpClient(port)
  client.socket.write(bytes)
  await client.until(({ fin, closed }) => fin || closed)
  const from = client.socket.localPort
  client.socket.end()
  await client.until(({ closed }) => closed)
  const { data } = await rig.untilRecord('dev.waybill.connection.refused.v1', (event) => event.data.client?.port === from)
  return { got: client.bytes.toString('hex'), error: client.error, data }
}

describe('refused clients', () => {
  test.each([
    ['no_sni', 112, 't12i0200', records(helloMessage({ extensions: [] }))],
    ['unknown_sni', 112, 't12d0201', plainHello('nobody.example.test')],
    ['hello_malformed', 50, null, Buffer.from('16030100050100000100', 'hex')],
    ['hello_malformed', 50, 't12d0201', records(helloMessage({ extensions: [serverName('a b')] }))],
    ['sslv2', 70, null, sslv2Hello],
    ['hello_too_large', 22, null, Buffer.from('16030100100101000100' + '00'.repeat(10), 'hex')],
  ])('%s: alert %i arrives, then FIN, although bytes of the client are left', async (because, alert, ja4, bytes) => {
    await using rig = await startRig()
    await rig.addPool({ serverNames: ['app.example.test'], backends: [{ port: 1 }] })
    const { got, error, data } = await refused(rig, Buffer.concat([bytes, Buffer.alloc(30_000)]))
    expect([got, error]).toEqual([fatalAlert(alert), null])
    expect(data).toMatchObject({ alert, because, pool: null })
    expect(data.ja4?.slice(0, 8) ?? null).toBe(ja4)
  })

  test('a real client says what the alert means', async () => {
    await using rig = await startRig()
    await rig.addPool({ serverNames: ['app.example.test'], backends: [{ port: 1 }] })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'nobody.example.test', maxVersion, rejectUnauthorized: false })
      const [error] = (await once(socket, 'error')) as [Error & { code?: string }]
      expect(error.code).toMatch(/UNRECOGNIZED_NAME/)
    }
  })

  test('with tls_alerts off nothing is sent, to nobody, and the records say so', async () => {
    await using backend = await tcpBackend((socket) => socket.once('data', () => socket.write('220 hello')), { greets: false })
    await using rig = await startRig({ settings: { tlsAlerts: false } })
    await rig.addPool({ serverNames: ['plain.example.test'], backends: [{ port: backend.port }] })
    const { got, data } = await refused(rig, hello)
    expect([got, data.alert]).toEqual(['', null])
    expect((await refused(rig, Buffer.from('0000000804d2162f', 'hex'))).got).toBe('')
    const client = await tcpClient(rig.port)
    client.socket.write(plainHello('plain.example.test'))
    await client.until(({ closed }) => closed)
    expect([client.length, client.error]).toEqual([0, 'ECONNRESET'])
    const { data: ended } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(ended).toMatchObject({ close: { because: 'backend_not_tls' }, tls: { alerts: [] } })
  })

  test('who does not speak TLS is sent nothing, but is on record with what it looks like', async () => {
    await using rig = await startRig()
    const { got, data } = await refused(rig, Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    expect([got, data.alert, data.detail]).toEqual(['', null, 'first byte is 0x47: it looks like an HTTP request'])
  })

  test('who never closes after its alert is cut off', async () => {
    await using rig = await startRig()
    const client = await tcpClient(rig.port)
    client.socket.write(hello)
    await client.until(({ fin }) => fin)
    // Writes on and never ends: after its second the proxy is gone, and the kernel says so.
    const pump = setInterval(() => client.socket.write('more'), 50)
    await client.until(({ closed }) => closed)
    clearInterval(pump)
    expect(client.bytes.toString('hex')).toBe(fatalAlert(112))
    expect(['ECONNRESET', 'EPIPE']).toContain(client.error)
  })

  test('who sends on without end after its alert is cut off before the second is over', async () => {
    await using rig = await startRig()
    const client = await tcpClient(rig.port)
    client.socket.write(Buffer.concat([hello, Buffer.alloc(8_000_000)]))
    await client.until(({ closed }) => closed)
    expect(['ECONNRESET', 'EPIPE']).toContain(client.error)
  })
})

describe('a pool that a listener names', () => {
  test('gets what is not TLS, byte for byte, on record as not encrypted', async () => {
    await using backend = await tapBackend({ greets: false })
    await using rig = await startRig()
    await rig.addPool({ name: 'plain', allowPlaintext: true, serverNames: [], backends: [{ port: backend.port }] })
    await rig.setListener('shared', { not_tls: { pool: 'plain' } })
    const client = await tcpClient(rig.port)
    client.socket.write('GET / HTTP/1.1\r\n\r\n')
    const server = await backend.next()
    await server.until(({ length }) => length === 18)
    server.socket.end('HTTP/1.1 204 No Content\r\n\r\n')
    await client.until(({ fin }) => fin)
    client.socket.end()
    expect([server.text, client.text]).toEqual(['GET / HTTP/1.1\r\n\r\n', 'HTTP/1.1 204 No Content\r\n\r\n'])
    const { data: opened } = await rig.untilRecord('dev.waybill.connection.opened.v1')
    expect(opened).toMatchObject({
      alpn: [], encrypted: false, ja4: null, pool: 'plain', routed_by: 'not_tls', server_name: null, tls_versions: [],
    })
    const { data: closed } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(closed).toMatchObject({ bytes_quality: 'exact', bytes_to_client: 27, encrypted: false, tls: null })
  })

  test('gets clients that say nothing in time: a server that speaks first is heard, if plaintext is allowed there', async () => {
    await using backend = await tcpBackend((socket) => {
      socket.write('220 mail.example.test ESMTP\r\n')
      socket.on('end', () => socket.end())
    }, { greets: false })
    await using rig = await startRig({ timeouts: { peekTimeoutMs: 300 } })
    const backends = [{ port: backend.port }]
    await rig.addPool({ name: 'mail', allowPlaintext: true, serverNames: [], backends })
    await rig.addPool({ name: 'strict', serverNames: [], backends })
    await rig.setListener('shared', { timeout: { pool: 'mail' } })
    const client = await tcpClient(rig.port)
    await client.until(({ length }) => length > 0)
    expect(client.text).toBe('220 mail.example.test ESMTP\r\n')
    client.socket.end()
    await client.until(({ closed }) => closed)
    const { data: opened } = await rig.untilRecord('dev.waybill.connection.opened.v1')
    expect(opened).toMatchObject({ encrypted: null, pool: 'mail', routed_by: 'timeout' })
    const { data: heard } = await rig.untilRecord('dev.waybill.connection.closed.v1', ({ data }) => data.pool === 'mail')
    expect(heard).toMatchObject({ encrypted: false, tls: null })

    await rig.setListener('shared', { timeout: { pool: 'strict' } })
    const other = await tcpClient(rig.port)
    await other.until(({ fin, closed }) => fin || closed)
    other.socket.end()
    expect(other.text).not.toContain('220')
    const { data: closed } = await rig.untilRecord('dev.waybill.connection.closed.v1', ({ data }) => data.pool === 'strict')
    expect(closed).toMatchObject({ bytes_to_client: 0, close: { because: 'backend_not_tls', by: 'proxy' }, encrypted: null })
  })

  test('what a client says and ends with, before its backend is dialled, arrives and is answered', async () => {
    await using backend = await tcpBackend((socket) => {
      let said = ''
      socket.on('data', (chunk: Buffer) => (said += chunk.toString()))
      socket.on('end', () => socket.end(`got ${said}`))
    }, { greets: false })
    await using rig = await startRig()
    await rig.addPool({ name: 'logs', allowPlaintext: true, serverNames: [], backends: [{ port: backend.port }] })
    await rig.setListener('shared', { not_tls: { pool: 'logs' } })
    const clients = await Promise.all(Array.from({ length: 20 }, async () => {
      const client = await tcpClient(rig.port)
      client.socket.end('<13>a line\n')
      return client.until(({ closed }) => closed)
    }))
    expect(clients.map(({ error, text }) => [error, text])).toEqual(clients.map(() => [null, 'got <13>a line\n']))
  })

  test('a client of TLS that says nothing in time gets no further with anything else, where plaintext is not allowed', async () => {
    await using backend = await tapBackend()
    await using rig = await startRig({ timeouts: { peekTimeoutMs: 200 } })
    await rig.addPool({ name: 'slow', serverNames: [], backends: [{ port: backend.port }] })
    await rig.setListener('shared', { timeout: { pool: 'slow' } })
    for (const [early, late] of [['', 'POST /secret HTTP/1.1\r\n\r\n'], ['\x16', 'GET / HTTP/1.1\r\n\r\n'], ['\x80', '\x2e\x01plain']] as const) {
      const client = await tcpClient(rig.port)
      if (early !== '') client.socket.write(Buffer.from(early, 'latin1'))
      const server = await backend.next()
      await server.until(() => rig.engine.peeking === 0)
      client.socket.write(Buffer.from(late, 'latin1'))
      await Promise.all([client.until(({ closed }) => closed), server.until(({ closed }) => closed)])
      expect([client.error, server.length <= 1]).toEqual(['ECONNRESET', true])
    }
    const late = await tcpClient(rig.port)
    const server = await backend.next()
    late.socket.write(hello)
    await server.until(({ length }) => length === hello.length)
    late.socket.resetAndDestroy()
    await rig.untilRecord('dev.waybill.connection.closed.v1', ({ data }) => data.close.because === 'reset')
    const closings = (await rig.records('connections')).flatMap((event) => (event.type === 'dev.waybill.connection.closed.v1' ? [event.data] : []))
    expect(closings.map(({ close }) => close.because)).toEqual(['client_not_tls', 'client_not_tls', 'client_not_tls', 'reset'])
    expect(closings.map(({ bytes_to_backend }) => bytes_to_backend)).toEqual([0, 1, 0, hello.length])
  })

  test.each([
    ['malformed', Buffer.from('16030100050100000100', 'hex')],
    ['malformed', records(helloMessage({ extensions: [serverName('a b')] }))],
    ['sslv2', sslv2Hello],
    ['too_large', Buffer.concat([Buffer.from('160301400001010001', 'hex'), Buffer.alloc(16_380)])],
    ['no_sni', records(helloMessage({ extensions: [] }))],
    ['unknown_sni', plainHello('nobody.example.test')],
  ] as const)('%s: exactly what the client sent arrives', async (what, bytes) => {
    await using backend = await tapBackend()
    await using rig = await startRig()
    await rig.addPool({ name: 'odd', serverNames: ['odd.example.test'], backends: [{ port: backend.port }] })
    await rig.setListener('shared', { [what]: { pool: 'odd' } })
    const client = await tcpClient(rig.port)
    client.socket.write(bytes)
    const server = await backend.next()
    await server.until(({ length }) => length >= bytes.length)
    expect(server.bytes.equals(bytes)).toBe(true)
    const { data } = await rig.untilRecord('dev.waybill.connection.opened.v1')
    expect(data).toMatchObject({ pool: 'odd', routed_by: what })
    client.socket.resetAndDestroy()
  })
})

test('names that are none are on record escaped, and lead nowhere', async () => {
  await using rig = await startRig()
  const { data } = await refused(rig, records(helloMessage({ extensions: [serverName('evil\r\n\u001b[31m"name\\')] })))
  expect(data).toMatchObject({ because: 'hello_malformed', server_name: 'evil\\x0d\\x0a\\x1b[31m"name\\x5c' })
})
