import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { definitions } from '../../events/catalog.ts'
import { ConfigApplied } from '../../events/config.ts'
import { closingActor, ConnectionClosed, ConnectionOpened, ConnectionRefused } from '../../events/connection.ts'
import { encodeDraft, placeDraft, type Draft } from '../../events/envelope.ts'
import { zeroHash } from '../../events/chain.ts'
import { PoolCreated } from '../../events/pool.ts'
import { handshakeProgress, tlsAlertsRecordedMax, type RoutedBy } from '../../events/tls.ts'
import { listenerCases, type Declaration } from '../../events/values.ts'
import { fold } from '../../projections/projection.ts'
import { openConnections } from '../../projections/open-connections.ts'
import { routing } from '../../projections/routing.ts'
import { runs } from '../../projections/runs.ts'
import { decideAddBackend, decideDrainBackend } from '../../src/commands/backend.ts'
import type { Request, Rules, Stamp } from '../../src/commands/decision.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { openedData } from '../../src/proxy/admission.ts'
import type { Lease } from '../../src/proxy/backends.ts'
import type { Link } from '../../src/proxy/engine.ts'
import { printable } from '../../src/proxy/hello/bytes.ts'
import { readServerName } from '../../src/proxy/hello/server-name.ts'
import { closeLeftOpen } from '../../src/proxy/recover.ts'
import { clientNetwork } from '../../src/proxy/refusals.ts'
import { recordedTls } from '../../src/proxy/tls-record.ts'
import { alertName, cipherSuiteName } from '../../src/proxy/tls/names.ts'
import { anyCommand } from '../commands/any-command.ts'
import { given, recorded as recordedIn } from '../commands/decide.ts'
import { inline, named } from '../commands/wishes.ts'
import { canonicalJson } from '../support/canonical.ts'
import { readAll, textOf } from '../support/drafts.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { exampleEpoch, exampleRun, madeRecord, RecordChain, recorded } from '../support/records.ts'
import { alpn, helloMessage, records, serverName, supportedVersions } from '../support/tls-hellos.ts'
import { helloOf, judge } from '../support/tls-hellos-judge.ts'

/**
 * The hot path writes records without checking them against their schemas, and a record that does not fit its schema
 * stops the next start. So what the writers make is checked here: it reads back, and it is RFC 8785.
 */

const source = '/clusters/default/nodes/node-1/0198c0de-0000-7000-8000-00000000000e/control'

function expectReadable(text: string): void {
  expect(canonicalJson(JSON.parse(text))).toBe(text)
  expect(madeRecord(text).text).toBe(text)
}

describe('changes that deciders decide', () => {
  const text = fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }))
  const request: fc.Arbitrary<Request> = fc.record({
    actor: fc.constant({ authn: 'none' as const, id: 'loopback', type: 'local' as const }),
    change: fc.record({ approved_by: text, reason: text, requested_by: text, ticket: text }),
    origin: fc.constantFrom({ ip: '127.0.0.1', port: 50_112, via: 'api' as const }, { ip: null, port: null, via: 'socket' as const }),
    file: fc.constant(null),
    idempotency: fc.option(fc.record({ digest: fc.constant('x'.repeat(43) + '='), key: text.map((key) => key ?? 'key') })),
    ifMatch: fc.constant(null),
  })
  const stamp: Stamp = { recordId: exampleRun, time: '2026-11-24T08:00:00.000Z' }
  const rules: Rules = { autoDefaultRoute: true, api: { ip: '127.0.0.1', port: 4000 }, ops: null, sharedListen: { ip: '::', port: 8443 } }
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6().map((ip) => `[${ip}]`), fc.constantFrom('bücher.example', 'EXAMPLE.com', `${'a'.repeat(63)}.example`))

  function textOfChange(record: Omit<Draft, 'basis' | 'revision'>): string {
    return placeDraft(encodeDraft({ ...record, revision: 1, basis: zeroHash }, { source, run: exampleRun }), 0, zeroHash)
  }

  test('pools', () => {
    const pool = fc.record({
      name: fc.stringMatching(/^[a-z0-9-]{1,63}$/),
      algorithm: fc.constantFrom('least_connections' as const, 'random' as const, 'round_robin' as const),
      allowPlaintext: fc.boolean(),
      backends: fc.array(
        fc.record({ declaration: fc.constant(null), url: host.map((name) => `https://${name}`), weight: fc.integer({ min: 1, max: 256 }) }),
        { maxLength: 2 },
      ),
      businessNeed: text,
      declaration: fc.option(fc.constant<NonNullable<Declaration>>({ fields: ['algorithm', 'name'], file: '/etc/waybill/waybill.yaml' })),
      defaultRoute: fc.option(fc.boolean()),
      drainTimeoutMs: fc.option(fc.integer({ min: 0, max: 604_800_000 })),
      healthCheckIntervalMs: fc.integer({ min: 100, max: 3_600_000 }),
      listen: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 65_535 }), fc.ipV6().map((ip) => `[${ip}]:9443`), fc.ipV4().map((ip) => `${ip}:1`)),
      minTlsVersion: fc.option(fc.constantFrom('TLSv1' as const, 'TLSv1.1' as const, 'TLSv1.2' as const, 'TLSv1.3' as const)),
      owner: text,
      rejectEch: fc.boolean(),
      serverNames: fc.array(fc.oneof(host, fc.ipV6(), fc.domain().map((name) => `*.${name}`), fc.domain().map((name) => `**.${name}`)), { maxLength: 3 }),
    })
    let decided = 0
    fc.assert(
      fc.property(request, pool, (asked, wanted) => {
        const decision = decideCreatePool(routing.initial(), { ...asked, ...wanted, ...stamp }, rules)
        if (!('record' in decision)) return
        decided += 1
        expectReadable(textOfChange(decision.record))
      }),
      { numRuns: 300 },
    )
    expect(decided).toBeGreaterThan(50)
  })

  test('backends', () => {
    const control = new RecordChain('control')
    const state = fold(routing, [recorded(control.make(PoolCreated, PoolCreated.examples[0]))])
    const backend = fc.record({
      declaration: fc.constant(null),
      pool: fc.constant('secure-app'),
      url: fc.tuple(host, fc.option(fc.integer({ min: 1, max: 65_535 }))).map(([name, port]) => `https://${name}${port === null ? '' : `:${port}`}`),
      weight: fc.integer({ min: 1, max: 256 }),
    })
    let decided = 0
    fc.assert(
      fc.property(request, backend, (asked, wanted) => {
        const decision = decideAddBackend(state, { ...asked, ...wanted, ...stamp })
        if (!('record' in decision)) return
        decided += 1
        expectReadable(textOfChange(decision.record))
      }),
    )
    expect(decided).toBeGreaterThan(40)
  })

  test('commands of every kind, after any history', () => {
    const decided = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(anyCommand, { minLength: 10, maxLength: 30 }), (history) => {
        let before = given()
          .and(decideCreatePool, named('a', { backends: [inline('one'), inline('two:8443')] }))
          .and(decideDrainBackend, { pool: 'a', id: 'one:443', force: false })
        for (const { decide, command } of history) {
          // Throws when what was decided is no record or is not canonical.
          const decision = before.when(decide, command)
          if (!('record' in decision)) continue
          expectReadable(textOfChange(decision.record))
          decided.set(decision.record.type, (decided.get(decision.record.type) ?? 0) + 1)
          before = given(recordedIn(before.state, decision.record))
        }
      }),
      { numRuns: 100 },
    )
    const types = definitions.filter(({ changes, type }) => changes && type !== ConfigApplied.type).map(({ type }) => type)
    expect([...decided.keys()].toSorted()).toEqual(types.toSorted())
  })
})

describe('what clients get into records', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    fc.string({ unit: fc.constantFrom(...Array.from('abz.-_09:[]*"\\ ')), minLength: 1, maxLength: 300 }).map((name) => Buffer.from(name)),
    fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()).map((name) => Buffer.from(name)),
  ).map((any) => Buffer.from(any))
  const opened = ConnectionOpened.data.shape
  const refused = ConnectionRefused.data.shape

  test('an opened record of any hello, and of none', () => {
    const name = fc.option(bytes.map((any) => serverName(any)))
    const protocols = fc.uniqueArray(bytes.map((any) => any.toString('latin1').slice(0, 255)), { minLength: 1, maxLength: 20 })
    const versions = fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 20 })
    const extensions = fc.tuple(name, fc.option(protocols.map((list) => alpn(...list))), fc.option(versions.map((list) => supportedVersions(...list))))
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.option(extensions), fc.constantFrom<RoutedBy>('server_name', 'listener', ...listenerCases), (parts, routedBy) => {
        const made = parts === null ? null : helloOf(judge(records(helloMessage({ extensions: parts.filter((part) => part !== null) }))))
        const address = { ip: '10.0.0.1', port: 8_443 }
        const data = openedData({
          connectionId: exampleRun, dialled: { address, attempts: [], kind: 'connected', lease: { backend: { id: '10.0.0.1:8443' } } as Lease, local: null },
          hello: made, link: { client: address } as Link, listener: 'shared', pool: 'app', revision: 1, routedBy,
        })
        expect(ConnectionOpened.data.safeParse(data).error?.issues).toBeUndefined()
        expect(canonicalJson(data)).toBe(JSON.stringify(data))
        seen.add(made?.serverNameKind ?? 'no hello')
      }),
      { numRuns: 500 },
    )
    expect([...seen].toSorted()).toEqual(['invalid', 'ip_literal', 'name', 'no hello', 'none'])
  })

  test('whatever a handshake says', () => {
    const facts = fc.record({
      alerts: fc.array(fc.record({ by: fc.constantFrom('backend' as const, 'client' as const), code: fc.nat(255) }), { maxLength: tlsAlertsRecordedMax }),
      cipher: fc.option(fc.nat(0xffff)),
      group: fc.option(fc.oneof(
        fc.record({ kind: fc.constant('named' as const), code: fc.nat(0xffff) }), fc.record({ kind: fc.constant('dh' as const), bits: fc.nat(524_280) }),
      )),
      handshake: fc.constantFrom(...handshakeProgress),
      helloRetryRequest: fc.boolean(),
      plaintext: fc.boolean(),
      resumed: fc.option(fc.boolean()),
      version: fc.option(fc.nat(0xffff)),
    })
    fc.assert(
      fc.property(fc.option(facts), (said) => {
        const data = recordedTls(said)
        expect(ConnectionClosed.data.shape.tls.safeParse(data).error?.issues).toBeUndefined()
        expect(canonicalJson(data)).toBe(JSON.stringify(data))
      }),
      { numRuns: 1_000 },
    )
    for (let code = 0; code <= 0xffff; code += 1) expect(cipherSuiteName(code)).toMatch(/^[A-Za-z0-9_]{1,48}$/)
    for (let code = 0; code <= 0xff; code += 1) expect(alertName(code)).toMatch(/^[A-Za-z0-9_]{1,32}$/)
  })

  test('server names: any in a refusal, those that led to a backend in the records of connections', () => {
    fc.assert(
      fc.property(bytes, (name) => {
        const { serverName, kind } = readServerName(name, 0, name.length)
        expect(refused.server_name.safeParse(serverName.slice(0, 512)).success).toBe(true)
        if (kind !== 'invalid') expect(opened.server_name.safeParse(serverName).success, serverName).toBe(true)
      }),
      { numRuns: 1_000 },
    )
    const longest = Buffer.from(`${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}.`)
    expect(readServerName(longest, 0, longest.length)).toMatchObject({ kind: 'name' })
    expect(opened.server_name.safeParse(longest.toString()).success).toBe(true)
  })

  test('the actor who ended a connection, whatever the name', () => {
    const { actor } = ConnectionClosed.data.shape.close.shape
    const odd = fc.constantFrom('a', ' ', '%', '"', '\\', '\u0001', '\u20ac', '\ud83d')
    const id = fc.string({ unit: fc.oneof(odd, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })), minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(id, (name) => {
        const closing = closingActor({ authn: 'none', id: name, type: 'local' })
        expect(actor.safeParse(closing).success, closing.id).toBe(true)
        if (closing.id.length < 200) expect(decodeURIComponent(closing.id)).toBe(name.toWellFormed())
      }),
    )
  })

  test('protocol names', () => {
    fc.assert(fc.property(bytes, (name) => opened.alpn.safeParse([printable(name, 0, Math.min(255, name.length)).slice(0, 255)]).success))
  })

  test('addresses and networks', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
        const plain = ip.includes(':') ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip
        expect(refused.client_network.safeParse(clientNetwork(plain)).success, clientNetwork(plain)).toBe(true)
        expect(opened.client.safeParse({ ip: plain, port: 65_535 }).success, plain).toBe(true)
      }),
    )
  })
})

test('closing records of connections that a crash left open', async () => {
  const chain = new RecordChain('connections')
  const example = ConnectionOpened.examples[0]
  const open = fold(openConnections, [recorded(chain.make(ConnectionOpened, { ...example, client: null, server_name: null }))])
  const clock = new ManualClock()
  await using log = new MemoryLog({ clock, makeId: () => exampleRun })
  const drafts = new Drafts(clock, () => exampleRun, 'node-1')
  const parts = { closedElsewhere: new Set<string>(), drafts, epoch: exampleEpoch, log, node: 'node-1', openConnections: open, run: '0198c0de-0000-7000-8000-00000000000b', runs: runs.initial() }
  expect(await closeLeftOpen(parts)).toBe(1)
  for (const stream of ['connections', 'operations'] as const) {
    const texts = (await readAll(log, stream)).map(textOf)
    expect(texts).toHaveLength(1)
    for (const text of texts) expectReadable(text)
  }
})
