import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type net from 'node:net'
import tls from 'node:tls'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { versionName } from '../../../src/proxy/hello/versions.ts'
import type { WatchTerms } from '../../../src/proxy/tls/handshake-watch.ts'
import { alertName, cipherSuiteName, groupName } from '../../../src/proxy/tls/names.ts'
import { Certificates, OpensslServer, printedFacts, recordingRelay, type RecordedConversation } from '../../support/tls-conversations.ts'
import { type Outcome, play, cutSegments, reframed, type Segment, termsOf } from '../../support/tls-conversations-play.ts'
import { opensslVersion } from '../../support/tls-hellos-real.ts'

/** Whole conversations of real clients and servers: what is said of them is what their own ends say. */

let certificates: Certificates
/** All that were recorded, for the tests that cut and break them. */
const recorded: { readonly name: string; readonly segments: readonly Segment[] }[] = []

beforeAll(() => {
  certificates = new Certificates()
})
afterAll(() => {
  certificates[Symbol.dispose]()
})

function keep(name: string, conversation: RecordedConversation, terms: Partial<WatchTerms> = {}): Outcome {
  recorded.push({ name, segments: conversation.segments })
  return play(conversation.segments, termsOf(conversation.segments, terms))
}

/** What s_client prints for a group, by our names. */
const printedGroups: Readonly<Record<string, string>> = {
  x25519: 'X25519, 253 bits',
  x448: 'X448, 448 bits',
  secp256r1: 'ECDH, prime256v1, 256 bits',
  secp384r1: 'ECDH, secp384r1, 384 bits',
  secp521r1: 'ECDH, secp521r1, 521 bits',
  dh_2048: 'DH, 2048 bits',
  dh_3072: 'DH, 3072 bits',
  ffdhe3072: 'DH, 3072 bits',
}

function named({ facts }: Outcome): { version: string | null; cipher: string | null; group: string | null; resumed: boolean | null } {
  return {
    version: facts.version === null ? null : versionName(facts.version),
    cipher: facts.cipher === null ? null : cipherSuiteName(facts.cipher),
    group: facts.group === null ? null : groupName(facts.group),
    resumed: facts.resumed,
  }
}

function alertsOf({ facts }: Outcome): string[] {
  return facts.alerts.map(({ by, code }) => `${by} ${alertName(code)}`)
}

/** The facts equal what the client printed. */
function expectAsPrinted(outcome: Outcome, printed: string): void {
  const said = printedFacts(printed)
  const { group, ...others } = named(outcome)
  expect(others).toEqual({ version: said.version, cipher: said.cipher, resumed: said.resumed })
  expect(group === null ? null : (printedGroups[group] ?? group)).toBe(said.group)
}

// LibreSSL has other options and prints other words.
describe.skipIf(opensslVersion === null)('openssl', () => {
  const weak = ':@SECLEVEL=0'
  const each: readonly [name: string, group: string | null, server: string[], client: string[]][] = [
    ['ECDHE with X25519', 'x25519', ['-tls1_2'], ['-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']],
    ['ECDHE with P-256', 'secp256r1', ['-tls1_2', '-groups', 'P-256'], ['-cipher', 'ECDHE-RSA-CHACHA20-POLY1305']],
    ['ECDHE with P-521', 'secp521r1', ['-tls1_2', '-groups', 'P-521'], ['-cipher', 'ECDHE-RSA-AES256-SHA384']],
    ['ECDHE with X448', 'x448', ['-tls1_2', '-groups', 'X448'], []],
    ['DHE', 'dh_3072', ['-tls1_2', '-dhparam', 'dh.pem'], ['-cipher', 'DHE-RSA-AES256-GCM-SHA384']],
    ['RSA key exchange', null, ['-tls1_2'], ['-cipher', 'AES128-SHA']],
    ['a client certificate in TLS 1.2', 'x25519', ['-tls1_2', '-Verify', '1'], ['CERTIFICATE']],
    ['a pre-shared key with ECDHE', 'x25519', ['-tls1_2', '-psk', '00ff', '-psk_hint', 'a hint'], ['-psk', '00ff', '-cipher', 'ECDHE-PSK-AES128-CBC-SHA']],
    ['a pre-shared key with DHE', 'dh_2048', ['-tls1_2', '-psk', '00ff', '-psk_hint', 'a hint'], ['-psk', '00ff', '-cipher', 'DHE-PSK-AES128-CBC-SHA256']],
    ['TLS 1.1', 'x25519', ['-tls1_1', '-cipher', `ALL${weak}`], ['-cipher', `ALL${weak}`]],
    ['TLS 1.0', 'x25519', ['-tls1', '-cipher', `ALL${weak}`], ['-cipher', `ALL${weak}`]],
    ['TLS 1.3 with AES-128', 'x25519', ['-tls1_3'], ['-ciphersuites', 'TLS_AES_128_GCM_SHA256']],
    ['TLS 1.3 with AES-256', 'secp384r1', ['-tls1_3'], ['-ciphersuites', 'TLS_AES_256_GCM_SHA384', '-groups', 'P-384']],
    ['TLS 1.3 with ChaCha20', 'x448', ['-tls1_3'], ['-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256', '-groups', 'X448']],
    ['TLS 1.3 with short tags', 'ffdhe3072', ['-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_8_SHA256'], ['-ciphersuites', 'TLS_AES_128_CCM_8_SHA256', '-groups', 'ffdhe3072']],
    ['a client certificate in TLS 1.3', 'x25519', ['-tls1_3', '-Verify', '1'], ['CERTIFICATE']],
    ['TLS 1.3 without disguise', 'x25519', ['-tls1_3', '-no_middlebox'], ['-no_middlebox']],
  ]

  test.each(each)('%s', async (name, group, serverArgs, clientArgs) => {
    execFileSync('openssl', ['genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe3072', '-out', certificates.file('dh.pem')])
    const args = serverArgs.map(arg => (arg === 'dh.pem' ? certificates.file(arg) : arg))
    await using server = await OpensslServer.start([...certificates.args('rsa'), ...args])
    const ownArgs = clientArgs[0] === 'CERTIFICATE' ? certificates.args('ecdsa') : clientArgs
    const conversation = await server.converse(ownArgs)
    const outcome = keep(name, conversation)
    expectAsPrinted(outcome, conversation.printed)
    expect(named(outcome).group).toBe(group)
    expect(outcome).toMatchObject({ verdict: null, done: true, facts: { handshake: 'inferred_complete', helloRetryRequest: false, alerts: [] } })
  })

  test('HelloRetryRequest: the client guessed another group', async () => {
    await using server = await OpensslServer.start([...certificates.args('ecdsa'), '-tls1_3', '-groups', 'P-384'])
    const conversation = await server.converse(['-groups', 'X25519:P-384'])
    const outcome = keep('HelloRetryRequest', conversation)
    expectAsPrinted(outcome, conversation.printed)
    expect(named(outcome).group).toBe('secp384r1')
    expect(outcome.facts).toMatchObject({ helloRetryRequest: true, handshake: 'inferred_complete' })
    const asked = play(conversation.segments.slice(0, 2), termsOf(conversation.segments)).facts
    expect(asked).toMatchObject({ helloRetryRequest: true, handshake: 'none', group: { kind: 'named', code: 24 }, resumed: null })
  })

  test.each([
    ['a ticket', []],
    ['a session id', ['-no_ticket']],
  ])('resumption in TLS 1.2 by %s', async (name, args) => {
    await using server = await OpensslServer.start([...certificates.args('rsa'), '-tls1_2', ...args])
    const session = certificates.file('session12.pem')
    const first = keep(`before ${name}`, await server.converse(['-sess_out', session, ...args]))
    expect(first.facts).toMatchObject({ resumed: false, handshake: 'inferred_complete' })
    const conversation = await server.converse(['-sess_in', session, ...args])
    const outcome = keep(name, conversation)
    expectAsPrinted({ ...outcome, facts: { ...outcome.facts, group: null } }, conversation.printed.replace(/^Server Temp Key.*$/m, ''))
    expect(outcome.facts).toMatchObject({ resumed: true, group: null, handshake: 'inferred_complete' })
    // Without the session id of the client, what follows says the same.
    expect(play(conversation.segments).facts).toEqual(outcome.facts)
  })

  test('resumption in TLS 1.3', async () => {
    await using server = await OpensslServer.start([...certificates.args('rsa'), '-tls1_3'])
    const session = certificates.file('session13.pem')
    await server.converseForSession(session)
    const conversation = await server.converse(['-sess_in', session])
    const outcome = keep('resumption in TLS 1.3', conversation)
    expectAsPrinted(outcome, conversation.printed)
    expect(outcome.facts).toMatchObject({ resumed: true, group: { kind: 'named', code: 29 }, handshake: 'inferred_complete' })
  })

  test('0-RTT: data before the handshake is not taken for its end', async () => {
    await using server = await OpensslServer.start([...certificates.args('rsa'), '-tls1_3', '-early_data', '-no_anti_replay'])
    const session = certificates.file('early.pem')
    await server.converseForSession(session)
    const early = ['-sess_in', session, '-early_data', certificates.file('rsa.crt')]
    const conversation = await server.converse(early)
    expect(conversation.printed).toContain('Early data was accepted')
    const outcome = keep('early data', conversation)
    expect(outcome.facts).toMatchObject({ resumed: true, handshake: 'inferred_complete' })
    const before = conversation.segments.slice(0, conversation.segments.findIndex(({ by }) => by === 'backend') + 1)
    expect(play(before, termsOf(conversation.segments)).facts.handshake).toBe('server_hello')
    // The same data, arriving after the backend's answer, which the client had not seen.
    const data = early0Rtt(conversation.segments)
    expect(play([...before, data], termsOf(conversation.segments)).facts.handshake).toBe('server_hello')
  })

  describe('what fails', () => {
    test.each<readonly [string, string[], string[], string[], 'none' | 'server_hello']>([
      ['no cipher in common', ['-tls1_2', '-cipher', 'AES128-SHA'], ['-cipher', 'AES256-SHA'], ['backend handshake_failure'], 'none'],
      ['no version in common', ['-tls1_2'], ['-tls1_3'], ['backend protocol_version'], 'none'],
      ['an unknown authority in TLS 1.2', ['-tls1_2'], ['-verify_return_error'], ['client unknown_ca'], 'server_hello'],
      ['an unknown authority in TLS 1.3', ['-tls1_3'], ['-verify_return_error'], ['client unknown_ca'], 'server_hello'],
      ['no client certificate in TLS 1.2', ['-tls1_2', '-Verify', '1'], [], ['backend handshake_failure'], 'server_hello'],
      ['no group in common', ['-tls1_3', '-groups', 'P-384'], ['-groups', 'X25519'], ['backend handshake_failure'], 'none'],
    ])('%s', async (name, serverArgs, clientArgs, alerts, handshake) => {
      await using server = await OpensslServer.start([...certificates.args('rsa'), ...serverArgs])
      const outcome = keep(name, await server.converse(clientArgs))
      expect(alertsOf(outcome)).toEqual(alerts)
      expect(outcome).toMatchObject({ verdict: null, facts: { handshake } })
    })

    test.each([
      ['no encryption', 'NULL', 'cipher_forbidden'],
      ['nobody named', 'aNULL:!eNULL', 'cipher_forbidden'],
    ])('%s', async (name, cipher, verdict) => {
      const args = ['-tls1_2', '-cipher', `${cipher}${weak}`]
      await using server = await OpensslServer.start([...certificates.args('rsa'), ...args])
      const conversation = await server.converse(args)
      const outcome = keep(name, conversation)
      expect(outcome).toMatchObject({ verdict, done: true, facts: { handshake: 'server_hello' } })
      expect(named(outcome)).toMatchObject({ cipher: printedFacts(conversation.printed).cipher, version: 'TLSv1.2' })
    })

    test('a version below the minimum, and just not below it', async () => {
      await using server = await OpensslServer.start([...certificates.args('rsa'), '-tls1_1', '-cipher', `ALL${weak}`])
      const conversation = await server.converse(['-cipher', `ALL${weak}`])
      expect(keep('too low', conversation, { minTlsVersion: 0x0303 })).toMatchObject({ verdict: 'tls_version_too_low', facts: { version: 0x0302 } })
      expect(keep('low enough', conversation, { minTlsVersion: 0x0302 }).verdict).toBe(null)
    })
  })
})

describe('Node', () => {
  test.each(['X25519MLKEM768', 'SecP256r1MLKEM768', 'MLKEM768', 'brainpoolP256r1tls13'])('TLS 1.3 with %s', async group => {
    const conversation = await nodeConversation({ ecdhCurve: group })
    const outcome = keep(group, conversation)
    expect(named(outcome)).toMatchObject({ version: 'TLSv1.3', group, resumed: false, cipher: JSON.parse(conversation.printed) })
    expect(outcome.facts.handshake).toBe('inferred_complete')
  })

  test('TLS 1.2 with data both ways', async () => {
    const outcome = keep('Node, TLS 1.2', await nodeConversation({ maxVersion: 'TLSv1.2' }))
    expect(outcome.facts).toMatchObject({ version: 0x0303, resumed: false, handshake: 'inferred_complete' })
  })
})

/** Node at both ends; prints the name of the cipher suite as JSON. */
async function nodeConversation(options: tls.SecureContextOptions & { ecdhCurve?: string }): Promise<RecordedConversation> {
  const pem = { key: readFileSync(certificates.file('ecdsa.key')), cert: readFileSync(certificates.file('ecdsa.crt')) }
  const server = tls.createServer({ ...pem, ...options }, socket => socket.end('answer'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const relay = await recordingRelay((server.address() as net.AddressInfo).port)
  try {
    const printed = await new Promise<string>((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: relay.port, rejectUnauthorized: false, ...options })
      let cipher = ''
      socket.on('secureConnect', () => {
        cipher = JSON.stringify(socket.getCipher().standardName)
        socket.write('question')
      })
      socket.on('error', reject).on('close', () => resolve(cipher))
      socket.resume()
    })
    return { segments: relay.take(), printed }
  } finally {
    relay.close()
    server.close()
  }
}

/** The encrypted record that the client sent behind its first hello. */
function early0Rtt(segments: readonly Segment[]): Segment {
  const wire = Buffer.concat(segments.filter(({ by }) => by === 'client').map(({ bytes }) => bytes))
  let at = 0
  while (wire[at] !== 0x17) at += 5 + wire.readUInt16BE(at + 3)
  return { by: 'client', bytes: wire.subarray(at, at + 5 + wire.readUInt16BE(at + 3)) }
}

/** The tests above ran first and recorded; these say the same of the bytes in any other shape. */
describe('every recorded conversation', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 })), { minLength: 1, maxLength: 6 })

  test('byte by byte, and in any pieces and any records', () => {
    expect(recorded.length).toBeGreaterThan(5)
    for (const { segments } of recorded) {
      const terms = termsOf(segments)
      const whole = play(segments, terms)
      expect(play(cutSegments(segments, [1]), terms)).toEqual(whole)
      fc.assert(
        fc.property(sizes, pieces => {
          expect(play(cutSegments(segments, pieces), terms)).toEqual(whole)
        }),
        { numRuns: 15 },
      )
      fc.assert(
        fc.property(sizes, sizes, (pieces, recordSizes) => {
          const { facts, verdict } = play(cutSegments(reframed(segments, recordSizes), pieces), terms)
          expect({ facts, verdict }).toEqual({ facts: whole.facts, verdict: whole.verdict })
        }),
        { numRuns: 15 },
      )
    }
  })

  test('damaged: no throw, the same for every cut, and nothing odd on record', () => {
    const which = fc.nat(recorded.length - 1)
    const damage = fc.array(fc.record({ where: fc.integer({ min: 0, max: 9_999 }), byte: fc.nat(255), how: fc.constantFrom('set', 'remove') }), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(which, damage, sizes, (index, damages, pieces) => {
        const { segments } = recorded[index] as (typeof recorded)[number]
        const terms = termsOf(segments)
        const broken = segments.map(segment => damages.reduce(damaged, segment))
        const outcome = play(broken, terms)
        expect(play(cutSegments(broken, pieces), terms)).toEqual(outcome)
        expectPlausible(outcome)
      }),
      { numRuns: 600 },
    )
  })
})

function damaged(segment: Segment, { where, byte, how }: { where: number; byte: number; how: 'set' | 'remove' }): Segment {
  // Most of what is read stands in the first bytes.
  const at = Math.floor((where / 10_000) ** 3 * segment.bytes.length)
  const bytes = how === 'set' ? Uint8Array.from(segment.bytes) : Buffer.concat([segment.bytes.subarray(0, at), segment.bytes.subarray(at + 1)])
  if (how === 'set') bytes[at] = byte
  return { by: segment.by, bytes }
}

function expectPlausible(outcome: Outcome): void {
  const { facts } = outcome
  const { group, cipher } = named(outcome)
  for (const name of [group, cipher, ...facts.alerts.map(({ code }) => alertName(code))]) expect(name ?? 'none').toMatch(/^[A-Za-z0-9_]{1,64}$/)
  expect(facts.alerts.length).toBeLessThanOrEqual(4)
  if (facts.handshake !== 'none') expect([facts.version, facts.cipher].every(number => number !== null && number >= 0 && number <= 0xffff)).toBe(true)
  if (facts.version === null) expect(facts).toMatchObject({ cipher: null, group: null, resumed: null, handshake: 'none' })
}
