import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { tcpBackend } from '../support/peers.ts'
import { extension, helloMessage, records, serverName, supportedVersions } from '../support/tls-hellos.ts'
import { name, page, TroubledNode } from '../support/troubled-node.ts'

/** docs/troubleshooting.md, of handshakes that fail and clients that are refused: as the page says, on record and at the client. */

const run = promisify(execFile)
const psqlMissing = spawnSync('psql', ['--version']).status !== 0

let node: TroubledNode
beforeEach(async () => {
  node = await TroubledNode.start()
})
afterEach(() => node[Symbol.asyncDispose]())

/** For bytes that no TLS client sends. */
async function rawClient(): Promise<Socket> {
  const socket = connect(node.waybill.port, '127.0.0.1')
  node.stack.defer(() => void socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

describe('Handshake failures', () => {
  const section = 'Handshake failures'

  test('a client that speaks no TLS', async () => {
    await node.payments([(await node.tlsBackend()).port])
    await run('curl', ['-s', `http://127.0.0.1:${node.waybill.port}/`]).catch(() => {})
    expect((await node.refusals())[0]).toMatchObject({ data: { because: 'not_tls', detail: 'first byte is 0x47: it looks like an HTTP request' } })
    expect(await node.commandsOf(section)).toContain('outcome=not_tls')
  })

  test('a name that leads nowhere, and no name at all', async () => {
    await node.payments([(await node.tlsBackend()).port])
    await node.handshake([], ['-servername', 'strange.example.com'])
    await node.handshake([], ['-noservername'])
    const refused = await node.refusals(2)
    expect(refused.map(({ data }) => [data['because'], data['server_name']])).toEqual([['unknown_sni', 'strange.example.com'], ['no_sni', null]])
    const printed = await node.commandsOf(section)
    expect(printed).toContain('outcome=unknown_sni')
    expect(printed).toContain('outcome=no_sni')
  })

  test('no version in common: the backend answers with an alert of 7 bytes, and the record of the opening has the offer', async () => {
    await node.payments([(await node.tlsBackend({ minVersion: 'TLSv1.3' })).port])
    await node.handshake(['-tls1_2'])
    const [closed] = await node.closings()
    expect(closed!.data).toMatchObject({ bytes_to_client: 7, tls: { alerts: [{ by: 'backend', name: 'protocol_version' }], handshake: 'none' } })
    const [opened] = await node.until('connections', ({ type }) => type.endsWith('.opened.v1'))
    expect(opened!.data['tls_versions']).toEqual(['TLSv1.2'])
    expect(await node.commandsOf(section)).toContain(' 7 to client')
  })

  test('a certificate that one side does not accept: the bytes to the backend say which', async () => {
    const { cert } = certificate('client.example.test')
    await node.payments([(await node.tlsBackend()).port])
    const strict = await node.tlsBackend({ requestCert: true, rejectUnauthorized: true, ca: cert })
    const backends = [{ url: `https://127.0.0.1:${strict.port}` }]
    // As long as the other name, so that the hellos have the same size.
    await node.waybill.post('/api/pools', { name: 'mutual', server_names: ['own.example.com'], backends })
    const bytes: number[] = []
    for (const [args, serverName] of [
      [['-tls1_3'], name],
      [['-tls1_3', '-verify_return_error', '-verify', '1'], name],
      [['-tls1_3'], 'own.example.com'],
    ] as const) {
      await node.handshake(args, ['-servername', serverName])
      bytes.push((await node.closings(bytes.length + 1)).at(-1)!.data['bytes_to_backend'] as number)
    }
    const [good, byClient, byBackend] = bytes as [number, number, number]
    expect(byClient).toBeLessThan(good)
    expect(byBackend).toBeGreaterThan(good)
    expect(await node.commandsOf(section)).toContain(`${byClient} bytes to backend`)
  })
})

describe('Handshake failures by what a pool asks of TLS', () => {
  const section = 'Handshake failures'

  test('less than min_tls_version: offered by the client, or chosen by the backend', async () => {
    await node.payments([(await node.tlsBackend({ maxVersion: 'TLSv1.2' })).port], { min_tls_version: 'TLSv1.3' })
    await node.handshake(['-tls1_2'])
    expect((await node.refusals())[0]!.data).toMatchObject({ because: 'tls_version_too_low', detail: expect.stringMatching(/TLSv1\.2 .*TLSv1\.3/) })
    expect(await node.handshake()).toContain('alert protocol version')
    expect((await node.closings())[0]!.data).toMatchObject({
      bytes_to_client: 0, close: { because: 'tls_version_too_low', by: 'proxy' }, tls: { alerts: [{ by: 'proxy', code: 70 }], version: 'TLSv1.2' },
    })
    expect((await node.commandsOf(section)).match(/outcome=tls_version_too_low/g)).toHaveLength(1)
  })

  test('Encrypted Client Hello where the pool rejects it', async () => {
    await node.payments([(await node.tlsBackend()).port], { reject_ech: true })
    const hello = records(helloMessage({ extensions: [serverName(name), supportedVersions(0x0304), extension(0xfe0d, Buffer.alloc(40))] }))
    expect(await node.spoken(hello)).toEqual(Buffer.of(21, 3, 3, 0, 2, 2, 40))
    expect((await node.refusals())[0]!.data).toMatchObject({ alert: 40, because: 'ech_offered' })
    expect(await node.commandsOf(section)).toContain('outcome=ech_offered')
  })

  test('a backend whose port speaks plaintext', async () => {
    const plain = node.stack.use(await tcpBackend((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), { greets: false }))
    await node.payments([plain.port])
    expect(await node.handshake()).toContain('internal error')
    expect((await node.closings())[0]!.data).toMatchObject({
      bytes_to_client: 0, close: { because: 'backend_not_tls', by: 'proxy' }, tls: { alerts: [{ by: 'proxy', code: 80 }], handshake: 'none' },
    })
    expect(await node.commandsOf(section)).toContain('backend_not_tls')
  })

  test('a client that said nothing in time, was let in, and then speaks no TLS', async () => {
    await node.payments([(await node.tlsBackend()).port])
    const changed = await fetch(`${node.waybill.api}/api/listeners/shared`, { method: 'PATCH', body: JSON.stringify({ timeout: { pool: 'payments' } }) })
    expect(changed.status).toBe(200)
    const client = await rawClient()
    await node.until('connections', ({ type }) => type.endsWith('.opened.v1'))
    client.write('EHLO client.example.com\r\n')
    expect((await node.closings())[0]!.data).toMatchObject({ bytes_to_backend: 0, close: { because: 'client_not_tls', by: 'proxy' }, encrypted: null })
    expect(await node.commandsOf(section)).toContain('client_not_tls')
  })

  test('a backend that chooses a cipher suite without authentication', async () => {
    const suite = 'AECDH-AES256-SHA'
    await node.payments([(await node.tlsBackend({ ciphers: `${suite}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' })).port])
    expect(await node.handshake(['-tls1_2', '-cipher', `${suite}:@SECLEVEL=0`])).toContain('insufficient security')
    expect((await node.closings())[0]!.data).toMatchObject({
      bytes_to_client: 0, close: { because: 'cipher_forbidden', by: 'proxy' },
      tls: { alerts: [{ by: 'proxy', code: 71 }], cipher: 'TLS_ECDH_anon_WITH_AES_256_CBC_SHA' },
    })
    expect(await node.commandsOf(section)).toContain('cipher_forbidden')
  })
})

describe('What the client sees', () => {
  test.each([
    ['a name that no pool claims', ['-servername', 'strange.example.com'], 112, 'unrecognized name'],
    ['no name', ['-noservername'], 112, 'unrecognized name'],
    ['too low a version', ['-servername', name, '-tls1_2'], 70, 'alert protocol version'],
  ])('%s', async (_what, args, alert, words) => {
    await node.payments([(await node.tlsBackend()).port], { min_tls_version: 'TLSv1.3' })
    expect(await node.handshake(args, [])).toContain(words)
    expect(page).toMatch(new RegExp(`^\\| ${alert} \\| \`${words}\``, 'm'))
    expect((await node.refusals())[0]!.data['alert']).toBe(alert)
    expect(await node.commandsOf('What the client sees')).toContain(`"alert":${alert}`)
  })

  test('a backend that goes wrong after a part of its answer has passed: a reset, and no alert by the proxy', async () => {
    const answering = Promise.withResolvers<Socket>()
    const backend = node.stack.use(await tcpBackend((socket) => socket.once('data', () => answering.resolve(socket)), { greets: false }))
    await node.payments([backend.port])
    const client = await rawClient()
    client.write(records(helloMessage({ extensions: [serverName(name)] })))
    const answer = await answering.promise
    answer.write(Buffer.of(22, 3, 3))
    await once(client, 'data')
    answer.write('no length of a record')
    await expect(once(client, 'close')).rejects.toThrow('ECONNRESET')
    expect((await node.closings())[0]!.data).toMatchObject({
      bytes_to_client: 3, close: { because: 'backend_not_tls', by: 'proxy' }, tls: { alerts: [], handshake: 'none' },
    })
  })
})

describe('Protocols that begin without TLS', () => {
  const section = 'Protocols that begin without TLS'

  test.each([
    ['SSLRequest', '0000000804d2162f'],
    ['GSSENCRequest', '0000000804d21630'],
  ])('PostgreSQL, %s: answered in its own protocol', async (request, bytes) => {
    const answer = await node.spoken(Buffer.from(bytes, 'hex'))
    const sentence = 'this is a TLS passthrough proxy: TLS has to begin with the first byte'
    expect(answer.toString()).toMatch(new RegExp(`^E.*${sentence}.*sslnegotiation=direct`, 's'))
    expect(page).toContain(sentence)
    expect((await node.refusals())[0]!.data).toMatchObject({ because: 'not_tls', detail: expect.stringContaining(`it looks like a PostgreSQL ${request}`) })
    expect(await node.commandsOf(section)).toContain(`it looks like a PostgreSQL ${request}`)
  })

  // Without psql there is nobody to print it: apt-get install postgresql-client.
  test.skipIf(psqlMissing).each(['prefer', 'require', 'verify-full'])('PostgreSQL, sslmode=%s: what psql prints is on the page', async (sslmode) => {
    const conninfo = `host=127.0.0.1 port=${node.waybill.port} user=app dbname=app gssencmode=disable sslmode=${sslmode}`
    const { stderr } = (await run('psql', [conninfo, '-c', 'select 1']).catch((error: unknown) => error)) as { readonly stderr: string }
    const printed = /server sent an error response during SSL exchange|TLS has to begin with the first byte/.exec(stderr)?.[0]
    expect(printed, stderr).toBeDefined()
    expect(page).toContain(printed)
  })

  test('SMTP with STARTTLS: the client waits for a greeting that never comes', async () => {
    await node.handshake(['-starttls', 'smtp'], [])
    expect((await node.refusals())[0]!.data).toMatchObject({ because: 'peek_timeout', detail: expect.stringContaining('the client sent nothing') })
    expect(await node.commandsOf(section)).toContain('the client sent nothing')
  })
})
