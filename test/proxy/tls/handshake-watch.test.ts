import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HandshakeWatch } from '../../../src/proxy/tls/handshake-watch.ts'
import { examinedBytesMax } from '../../../src/proxy/tls/record-walk.ts'
import {
  acceptedPsk, alert, changeCipherSpec, chosenVersion, clientHello, encrypted, encryptedFinished, flight12, keyShare, message, retryRequest, serverHello, serverHello13,
} from '../../support/tls-conversations-made.ts'
import { anyTerms, backend, client, cutSegments, type Outcome, outcome, play, type Segment } from '../../support/tls-conversations-play.ts'
import { extension, record, uint16, vector16 } from '../../support/tls-hellos.ts'

/** What is learnt of a handshake, and when there is nothing more to learn. */

const finished12 = [changeCipherSpec, encryptedFinished] as const
const started13 = [client(clientHello), backend(serverHello13(), changeCipherSpec, encrypted(900))] as const

describe('messages in pieces of any size', () => {
  test.each([1, 7, 100, 150, 300])('of %i bytes', size => {
    const long = serverHello13(0x1302, [extension(0x0033, Buffer.concat([uint16(0x11ec), vector16(Buffer.alloc(1120, 7))]))])
    expect(play(cutSegments([backend(long)], [size])).facts).toMatchObject({ version: 0x0304, cipher: 0x1302, group: { kind: 'named', code: 0x11ec } })
    const exchange = message(12, Buffer.concat([vector16(Buffer.alloc(160)), Buffer.from([3, 0, 24]), Buffer.alloc(400, 8)]))
    const said = [backend(serverHello({ cipher: 0xd001 }), message(11, Buffer.alloc(900)), exchange, alert(80))]
    const facts = { group: { kind: 'named', code: 24 }, alerts: [{ code: 80 }] }
    expect(play(cutSegments(said, [size])).facts).toMatchObject(facts)
  })
})

test('before TLS 1.3 a key share says nothing', () => {
  expect(outcome([backend(serverHello({ extensions: [keyShare(24)] }))]).facts.group).toBe(null)
})

test('a draft of TLS 1.3 is read like TLS 1.3', () => {
  const hello = serverHello13(0x1301, [keyShare(29), acceptedPsk], 0x7f1c)
  const facts = { version: 0x7f1c, group: { kind: 'named', code: 29 }, resumed: true, handshake: 'inferred_complete' }
  expect(outcome([client(clientHello), backend(hello, encrypted(99)), client(encrypted(53))]).facts).toMatchObject(facts)
})

describe('HelloRetryRequest', () => {
  test('what the ServerHello after it says, wins', () => {
    const asked = [client(clientHello), backend(retryRequest(0x1302, 24))]
    const group = { kind: 'named', code: 24 }
    expect(outcome(asked).facts).toEqual({
      version: 0x0304, cipher: 0x1302, group, helloRetryRequest: true, resumed: null, alerts: [], handshake: 'none', plaintext: false,
    })
    const answered = [...asked, client(changeCipherSpec, clientHello), backend(changeCipherSpec, serverHello13(0x1302, [keyShare(25)]), encrypted(99))]
    expect(outcome(answered).facts).toMatchObject({ cipher: 0x1302, group: { code: 25 }, helloRetryRequest: true, resumed: false, handshake: 'server_hello' })
    // Early data was refused with the first hello, so any record of the size may be the Finished.
    const early = [client(clientHello, encrypted(500)), backend(retryRequest()), client(clientHello), backend(serverHello13(), encrypted(99)), client(encrypted(500))]
    expect(outcome(early).facts.handshake).toBe('inferred_complete')
  })
})

describe('resumption before TLS 1.3', () => {
  const ours = Buffer.alloc(32, 5)
  const ticket = message(4)
  test.each<readonly [string, Uint8Array | null, Uint8Array, Uint8Array[], boolean | null]>([
    ['the same session id', ours, ours, [], true],
    ['the same session id, and a full handshake', ours, ours, [message(11)], false],
    ['another session id', ours, Buffer.alloc(32, 6), [], false],
    ['another session id, and the end at once', ours, Buffer.alloc(32, 6), [...finished12], true],
    ['none chosen', ours, Buffer.alloc(0), [], false],
    ['none offered nor chosen', Buffer.alloc(0), Buffer.alloc(0), [], false],
    ['none offered nor chosen, a ticket', Buffer.alloc(0), Buffer.alloc(0), [ticket, ...finished12], true],
    ['not known', null, ours, [], null],
    ['not known, a ticket', null, ours, [ticket], null],
    ['not known, the end at once', null, ours, [...finished12], true],
    ['not known, a ticket and the end', null, ours, [ticket, ...finished12], true],
    ['not known, a Certificate', null, ours, [message(11), ...finished12], false],
    ['not known, a ServerHelloDone (pre-shared key)', null, ours, [message(14, Buffer.alloc(0))], false],
  ])('%s', (_what, sessionId, chosen, after, resumed) => {
    expect(outcome([backend(serverHello({ sessionId: chosen }), ...after)], { sessionId }).facts.resumed).toBe(resumed)
  })
})

describe('alerts', () => {
  test('instead of a ServerHello', () => {
    expect(outcome([client(clientHello), backend(alert(40))])).toMatchObject({
      verdict: null, done: false, facts: { alerts: [{ by: 'backend', code: 40 }], handshake: 'none', version: null },
    })
  })

  test('a warning before the ServerHello, and its level does not matter', () => {
    expect(outcome([backend(alert(112, 77), serverHello())]).facts).toMatchObject({ alerts: [{ by: 'backend', code: 112 }], handshake: 'server_hello' })
  })

  test('from both, in their order, at most as many as a record has room for', () => {
    const said = [backend(serverHello(), alert(112, 1)), client(alert(48)), backend(alert(0)), client(alert(0), alert(1), alert(2))]
    expect(outcome(said).facts.alerts).toEqual([
      { by: 'backend', code: 112 }, { by: 'client', code: 48 }, { by: 'backend', code: 0 },
    ])
  })

  test('what is encrypted, or of no such form, is none', () => {
    const early = [backend(serverHello(), ...flight12, record(Buffer.alloc(3), 21)), client(...finished12, alert(1)), backend(changeCipherSpec, alert(2))]
    expect(outcome(early).facts.alerts).toEqual([])
    // In TLS 1.3 a ChangeCipherSpec hides nothing; the first encrypted record does.
    const modern = [client(clientHello, changeCipherSpec, alert(1)), backend(serverHello13(), changeCipherSpec, alert(2), encrypted(99), alert(3))]
    expect(outcome([...modern, client(changeCipherSpec, alert(4), encrypted(19), alert(5))]).facts.alerts.map(({ code }) => code)).toEqual([1, 2, 4])
  })

  test('after a hello in the SSLv2 format', () => {
    const hello = Buffer.concat([Buffer.from([0x81, 0x02, 1, 3, 1]), Buffer.alloc(0x102 - 3)])
    expect(outcome([client(hello), backend(serverHello()), client(alert(48))]).facts.alerts).toEqual([{ by: 'client', code: 48 }])
  })
})

describe('how far the handshake got', () => {
  test.each<readonly [string, Segment[], Outcome['facts']['handshake']]>([
    ['both finished', [client(encrypted(45))], 'inferred_complete'],
    ['the client sent a certificate first', [client(encrypted(1500), encrypted(60))], 'inferred_complete'],
    ['an encrypted alert', [client(encrypted(19))], 'server_hello'],
    ['short records', [client(encrypted(11), encrypted(44))], 'server_hello'],
    ['what would be a Finished before', [client(encrypted(19), encryptedFinished), backend(encryptedFinished)], 'server_hello'],
    ['half of a Finished', [client(encrypted(53).subarray(0, -1))], 'server_hello'],
  ])('TLS 1.3: %s', (_what, after, handshakeState) => {
    const played = outcome([...started13, ...after])
    expect(played.facts.handshake).toBe(handshakeState)
    expect(played.done).toBe(handshakeState === 'inferred_complete')
  })

  test('TLS 1.3: not before the backend sent anything encrypted', () => {
    expect(outcome([client(clientHello), backend(serverHello13()), client(encrypted(53))]).facts.handshake).toBe('server_hello')
  })

  test.each<readonly [string, Buffer[], Outcome['facts']['handshake']]>([
    ['more data', [encrypted(100), encrypted(700)], 'server_hello'],
    ['its end, and any record', [encrypted(100), encrypted(21), encrypted(900)], 'inferred_complete'],
    ['its end alone', [encrypted(100), encrypted(21)], 'server_hello'],
    ['a Finished with SHA-384', [encrypted(69)], 'inferred_complete'],
  ])('TLS 1.3 with early data, then %s', (_what, after, handshakeState) => {
    const early = [client(clientHello, changeCipherSpec, encrypted(100)), backend(serverHello13(), encrypted(99)), client(...after)]
    expect(outcome(early).facts.handshake).toBe(handshakeState)
    expect(outcome([...started13, client(...after)], { earlyDataOffered: true }).facts.handshake).toBe(handshakeState)
  })

  test.each([0x0300, 0x0301, 0x0303])('before TLS 1.3, version %i: both ChangeCipherSpec and an encrypted handshake record', legacyVersion => {
    const hello = [client(clientHello), backend(serverHello({ legacyVersion }), ...flight12)]
    const sequence = [client(message(16)), client(changeCipherSpec), client(encryptedFinished), backend(message(4), changeCipherSpec)]
    for (let after = 0; after <= sequence.length; after++) {
      expect(outcome([...hello, ...sequence.slice(0, after)])).toMatchObject({ done: false, facts: { handshake: 'server_hello', resumed: false } })
    }
    expect(outcome([...hello, ...sequence, backend(encryptedFinished.subarray(0, -1))]).done).toBe(false)
    expect(outcome([...hello, ...sequence, backend(encryptedFinished)])).toMatchObject({
      done: true, facts: { handshake: 'inferred_complete', group: { kind: 'named', code: 29 }, version: legacyVersion },
    })
    const resumption = [client(clientHello), backend(serverHello({ legacyVersion }), ...finished12)]
    expect(outcome(resumption)).toMatchObject({ done: false, facts: { handshake: 'server_hello', resumed: true } })
    const facts = { handshake: 'inferred_complete', resumed: true, group: null }
    expect(outcome([...resumption, client(...finished12)]).facts).toMatchObject(facts)
  })

  test('false start: the client sends data before the backend has finished', () => {
    const started = [client(clientHello), backend(serverHello(), ...flight12), client(message(16), ...finished12, encrypted(80)), backend(...finished12)]
    expect(outcome(started).facts.handshake).toBe('inferred_complete')
  })
})

describe('the end of the watch', () => {
  const flood = Buffer.alloc(examinedBytesMax, encrypted(16_000))

  test('a handshake that never completes is not watched for ever', () => {
    const stalled = [...started13, backend(flood), client(encrypted(19))]
    expect(outcome(stalled).done).toBe(false)
    expect(outcome([...stalled, client(Buffer.from([0x50]))])).toMatchObject({ done: true, facts: { handshake: 'server_hello' } })
    expect(outcome([...stalled, client(encrypted(53))])).toMatchObject({ done: true, facts: { handshake: 'inferred_complete' } })
    expect(outcome([...started13, client(Buffer.alloc(examinedBytesMax, encrypted(19)))])).toMatchObject({ done: true, facts: { handshake: 'server_hello' } })
  })

  test.each([
    ['no record type', Buffer.from([0x50, 0, 0])],
    ['another version', Buffer.from([0x16, 4, 0])],
    ['a length that nobody sends', Buffer.from([0x16, 3, 3, 0x48, 1])],
    ['data that is not encrypted', encrypted(9)],
  ])('after the ServerHello, %s ends what is learnt, not the connection', (_what, bytes) => {
    const broken = [client(clientHello), backend(serverHello({ sessionId: Buffer.alloc(1) }), bytes, alert(40))]
    expect(outcome(broken)).toMatchObject({ verdict: null, done: false, facts: { handshake: 'server_hello', alerts: [] } })
    expect(outcome([...broken, client(alert(10), Buffer.from([0x50]))])).toMatchObject({ done: true, facts: { alerts: [{ by: 'client', code: 10 }] } })
    if (bytes[0] === 0x17) return
    const brokenClient = [client(clientHello), backend(serverHello()), client(alert(10), bytes, alert(11))]
    expect(outcome(brokenClient)).toMatchObject({ done: false, facts: { alerts: [{ by: 'client', code: 10 }] } })
    expect(outcome([...brokenClient, backend(alert(40), changeCipherSpec)])).toMatchObject({ done: true, facts: { alerts: [{ code: 10 }, { code: 40 }] } })
  })

  test('a side that can still show the end of the handshake is watched, whatever became of the other', () => {
    const broken = Buffer.from([0x50])
    const hello = [client(clientHello), backend(serverHello(), ...flight12)]
    const clientBroken = [...hello, client(...finished12, broken), backend(changeCipherSpec)]
    expect(outcome(clientBroken).done).toBe(false)
    expect(outcome([...clientBroken, backend(encryptedFinished)])).toMatchObject({ done: true, facts: { handshake: 'inferred_complete' } })
    const backendBroken = [...hello, backend(...finished12, broken), client(changeCipherSpec)]
    expect(outcome(backendBroken).done).toBe(false)
    expect(outcome([...backendBroken, client(encryptedFinished)])).toMatchObject({ done: true, facts: { handshake: 'inferred_complete' } })
    for (const said of [[broken], [changeCipherSpec, broken]]) {
      expect(outcome([...hello, backend(...said), client(changeCipherSpec)]).done).toBe(true)
    }
  })

  test('facts are an object of their own', () => {
    const watch = new HandshakeWatch(anyTerms)
    watch.fromBackend(Buffer.concat([serverHello(), alert(112, 1)]))
    const before = watch.facts()
    watch.fromClient(alert(48))
    expect(before.alerts).toHaveLength(1)
    expect(JSON.parse(JSON.stringify(before))).toEqual(before)
  })

  test('what TLS 1.3 appends to its ServerHello in the clear says nothing', () => {
    const psk = serverHello({ cipher: 0x1301, extensions: [chosenVersion(0x0304), acceptedPsk] })
    const appended = message(12, Buffer.from([3, 0, 29, 5]))
    expect(outcome([backend(psk, appended)]).facts).toMatchObject({ group: null, resumed: true })
    const inOneRecord = record(Buffer.concat([psk.subarray(5), appended.subarray(5)]))
    expect(outcome([backend(inOneRecord)]).facts).toMatchObject({ group: null, resumed: true })
  })
})

test('any order of records: the same for every cut, and nothing is learnt after the end', () => {
  const fromBackend = fc.constantFrom(
    serverHello(), serverHello({ cipher: 0 }), serverHello13(), serverHello13(0x1301, [acceptedPsk]), retryRequest(), message(0, Buffer.alloc(0)), message(4),
    ...flight12, alert(80), changeCipherSpec, encryptedFinished, encrypted(53), encrypted(0), Buffer.from([0x50]),
  )
  const fromClient = fc.constantFrom(
    clientHello, alert(10), changeCipherSpec, encryptedFinished, encrypted(21), encrypted(53), encrypted(90), encrypted(0), Buffer.from([0x50]),
  )
  const segment = fc.oneof(
    fc.array(fromBackend, { minLength: 1, maxLength: 4 }).map(parts => backend(...parts)),
    fc.array(fromClient, { minLength: 1, maxLength: 4 }).map(parts => client(...parts)),
  )
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 8 }), fc.boolean(), fc.boolean(), fc.integer({ min: 1, max: 99 }), (said, hello, earlyDataOffered, size) => {
      const segments = [...(hello ? [client(clientHello), backend(serverHello13())] : []), ...said]
      const terms = { ...anyTerms, earlyDataOffered }
      const whole = outcome(segments, terms)
      expect(play(cutSegments(segments, [size]), terms)).toEqual(whole)
      seen.add(`${whole.verdict} ${whole.facts.handshake}`)
    }),
    { numRuns: 500 },
  )
  expect([...seen]).toEqual(expect.arrayContaining(['null none', 'null server_hello', 'null inferred_complete', 'backend_not_tls none', 'cipher_forbidden server_hello']))
})
