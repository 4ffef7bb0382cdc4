import { once } from 'node:events'
import tls from 'node:tls'
import { expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { listen, tlsClient, tlsEcho } from '../support/peers.ts'
import { startRig } from '../support/rig.ts'

/** What two TLS peers see of each other through the proxy is what they see without it. */

function seen(socket: tls.TLSSocket) {
  return {
    certificate: socket.getPeerCertificate().fingerprint256,
    cipher: socket.getCipher(),
    protocol: socket.getProtocol(),
    alpn: socket.alpnProtocol,
  }
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: certificate, version, cipher and ALPN are those of a direct connection', async (version) => {
  await using backend = await tlsEcho('one', { ALPNProtocols: ['h2', 'http/1.1'] })
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const options = { minVersion: version, maxVersion: version, ALPNProtocols: ['http/1.1', 'h2'] }
  const direct = await tlsClient(backend.port, options)
  const through = await tlsClient(rig.port, options)
  expect(seen(through)).toEqual(seen(direct))
  expect(seen(through)).toMatchObject({ protocol: version, certificate: direct.getPeerCertificate().fingerprint256 })
  through.write('ping')
  expect(String(await once(through, 'data'))).toBe('one:ping')
  through.end()
  direct.end()
  const closed = await rig.untilRecord('dev.waybill.connection.closed.v1')
  const opened = await rig.untilRecord('dev.waybill.connection.opened.v1')
  expect(opened.data).toMatchObject({
    alpn: ['http/1.1', 'h2'], tls_versions: version === 'TLSv1.3' ? expect.arrayContaining(['TLSv1.3']) : expect.anything(),
    server_name: 'app.example.test', client: { ip: '127.0.0.1' }, attempts: [],
  })
  expect(closed.data).toMatchObject({ bytes_quality: 'exact', close: { by: 'client', because: 'finished', code: null } })
  expect(closed.data.timings!.total).toBeGreaterThanOrEqual(closed.data.timings!.hello)
})

test('a client certificate reaches the backend', async () => {
  const mine = certificate('client.example.test')
  await using backend = await listen(
    tls.createServer({ ...certificate('app.example.test'), requestCert: true, ca: [mine.cert] }, (socket) => {
      socket.on('error', () => {})
      socket.end(`${socket.authorized} ${socket.getPeerCertificate().fingerprint256}`)
    }),
  )
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const client = await tlsClient(rig.port, mine)
  const [answer] = (await once(client, 'data')) as [Buffer]
  expect(answer.toString()).toBe(`true ${client.getX509Certificate()!.fingerprint256}`)
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s sessions are resumed through the proxy', async (version) => {
  await using backend = await tlsEcho('one')
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const first = tls.connect({ port: rig.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: version, servername: 'app.example.test' })
  first.on('error', () => {})
  const [session] = (await once(first, 'session')) as [Buffer]
  first.end()
  const second = await tlsClient(rig.port, { maxVersion: version, session })
  expect(second.isSessionReused()).toBe(true)
  second.write('again')
  expect(String(await once(second, 'data'))).toBe('one:again')
  second.end()
})
