import { once } from 'node:events'
import type net from 'node:net'
import tls from 'node:tls'
import { describe, expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { fatalAlert, greeting, listen, plainHello, tcpBackend, tcpClient, tlsClient, tlsEcho } from '../support/peers.ts'
import { startRig } from '../support/rig.ts'
import { helloMessage, records, serverName } from '../support/tls-hellos.ts'

/** What becomes of backends that choose what must not be, and what their clients are told, on real sockets. */

const hello = plainHello()

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('backends', () => {
  test('one that answers without TLS is cut off before its first byte, and the client is told', async () => {
    await using backend = await tcpBackend((socket) => socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')), { greets: false })
    await using rig = await startRig()
    await rig.addPool({ backends: [{ port: backend.port }] })
    const client = await tcpClient(rig.port)
    client.socket.write(hello)
    await client.until(({ fin }) => fin)
    client.socket.end()
    expect(client.bytes.toString('hex')).toBe(fatalAlert(80))
    const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(data).toMatchObject({
      bytes_quality: 'exact', bytes_to_backend: hello.length, bytes_to_client: 0,
      close: { because: 'backend_not_tls', by: 'proxy', code: null },
      tls: { alerts: [{ by: 'proxy', code: 80, name: 'internal_error' }], handshake: 'none', version: null },
    })
  })

  test('one that negotiates less than the pool asks for: no handshake, an alert, on record with what it was', async () => {
    await using backend = await tlsEcho('old', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
    await using rig = await startRig()
    await rig.addPool({ minTlsVersion: 'TLSv1.3', backends: [{ port: backend.port }] })
    const socket = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'app.example.test', rejectUnauthorized: false })
    const [error] = (await once(socket, 'error')) as [Error & { code?: string }]
    expect(error.code).toMatch(/PROTOCOL_VERSION/)
    const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(data).toMatchObject({ bytes_to_client: 0, close: { because: 'tls_version_too_low', by: 'proxy' }, tls: { alerts: [{ by: 'proxy', code: 70 }], version: 'TLSv1.2' } })
  })

  test('a client that offers less is refused before any backend is dialled', async () => {
    await using backend = await tlsEcho('one')
    await using rig = await startRig()
    await rig.addPool({ minTlsVersion: 'TLSv1.3', backends: [{ port: backend.port }] })
    const socket = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'app.example.test', maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    const [error] = (await once(socket, 'error')) as [Error & { code?: string }]
    expect(error.code).toMatch(/PROTOCOL_VERSION/)
    const { data } = await rig.untilRecord('dev.waybill.connection.refused.v1')
    expect(data).toMatchObject({ alert: 70, because: 'tls_version_too_low', pool: 'app', server_name: 'app.example.test' })
    expect(backend.accepted()).toBe(0)
  })

  test.each([
    ['without encryption', 'ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0'],
    ['that anybody may answer with', 'ADH-AES256-GCM-SHA384:@SECLEVEL=0'],
  ])('a suite %s always ends the connection', async (_, ciphers) => {
    await using backend = await listen(tls.createServer({ ...certificate('app.example.test'), ciphers, maxVersion: 'TLSv1.2', dhparam: 'auto' }, (socket) => {
      socket.on('error', () => {})
      socket.end('in the clear')
    }))
    await using rig = await startRig()
    await rig.addPool({ backends: [{ port: backend.port }] })
    const socket = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'app.example.test', ciphers, maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    const [error] = (await once(socket, 'error')) as [Error & { code?: string }]
    expect(error.code).toMatch(/INSUFFICIENT_SECURITY/)
    const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(data).toMatchObject({
      bytes_to_client: 0, close: { because: 'cipher_forbidden', by: 'proxy' }, tls: { cipher: expect.stringMatching(/_NULL_|_anon_/), version: 'TLSv1.2' },
    })
  })

  test('an alert instead of a ServerHello is passed on and on record', async () => {
    await using backend = await tlsEcho('new', { minVersion: 'TLSv1.3' })
    await using rig = await startRig()
    await rig.addPool({ backends: [{ port: backend.port }] })
    const socket = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'app.example.test', maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    const [error] = (await once(socket, 'error')) as [Error & { code?: string }]
    expect(error.code).toMatch(/PROTOCOL_VERSION/)
    const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(data.tls).toEqual({
      alerts: [{ by: 'backend', code: 70, name: 'protocol_version' }], cipher: null, group: null, handshake: 'none', hello_retry_request: false,
      resumed: null, version: null,
    })
  })

  test('a violation that comes after bytes were passed on ends in RST, without a false alert in between', async () => {
    const backendSocket = Promise.withResolvers<net.Socket>()
    await using backend = await tcpBackend((socket) => {
      socket.once('data', () => {
        socket.write(greeting.subarray(0, 11))
        backendSocket.resolve(socket)
      })
    }, { greets: false })
    await using rig = await startRig()
    await rig.addPool({ minTlsVersion: 'TLSv1.3', backends: [{ port: backend.port }] })
    const client = await tcpClient(rig.port)
    client.socket.write(records(helloMessage({ extensions: [serverName('app.example.test'), Buffer.from('002b0003020304', 'hex')] })))
    await until(() => rig.proxy.openByBackend('app', `127.0.0.1:${backend.port}`).bytesToClient === 11)
    // The rest of a ServerHello that chooses TLS 1.2.
    const socket = await backendSocket.promise
    socket.write(greeting.subarray(11))
    await client.until(({ closed }) => closed)
    expect(client.error).toBe('ECONNRESET')
    const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
    expect(data).toMatchObject({ bytes_to_client: 11, close: { because: 'tls_version_too_low', by: 'proxy' } })
  })
})

test('an ordinary connection under all of these terms goes on, and its facts are on record', async () => {
  await using backend = await tlsEcho('one')
  await using rig = await startRig()
  await rig.addPool({ minTlsVersion: 'TLSv1.2', backends: [{ port: backend.port }] })
  const client = await tlsClient(rig.port)
  const answered = once(client, 'data')
  client.write('ping')
  expect(String((await answered)[0])).toBe('one:ping')
  client.end()
  const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(data).toMatchObject({ close: { because: 'finished' }, encrypted: true, tls: { handshake: 'inferred_complete', version: 'TLSv1.3' } })
})
