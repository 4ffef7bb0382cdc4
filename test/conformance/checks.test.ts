import { describe, expect, test } from 'vitest'
import { helloMessage, records, serverName } from '../support/tls-hellos.ts'
import { type Expected, ownHellos, type Vector, wireOf } from '../support/tls-hellos-vectors.ts'
import { checkForwarding, checkParsing, type Entry } from './checks.ts'
import { type Column, isRight, rowOf, sumOf } from './findings.ts'
import { checkFuzz, earlierThanGo, moreLenientThanGo } from './fuzz-corpus.ts'
import { checkFirstBytes, checkPrefixed } from './other-starts.ts'
import { mismatchText, sumLineOf, tableOf } from './table.ts'

/** The checks are held to what they are for: with one label wrong, or other bytes, each column must say so. */

const good = ownHellos().find(vector => vector.id === 'openssl/ALPN')!
const entry = (changes: Partial<Vector>, labels: Partial<Expected> = {}): Entry => {
  const vector: Vector = { ...good, ...changes, expected: { ...good.expected, ...changes.expected } }
  return { vector, wire: wireOf(vector), labels: { ...vector.expected, ...labels }, original: null }
}
const wrongColumns = async (subject: Entry): Promise<Column[]> => {
  const findings = [...checkParsing(subject), ...(await checkForwarding(subject))]
  return rowOf('f', [{ id: subject.vector.id, findings, hello: 'bytes' }]).mismatches.map(({ column }) => column)
}
const answers: Column[] = ['whole', 'listed cuts', 'byte by byte', '64 KiB after']

describe('a wrong label is found', () => {
  test('none where all are right', async () => {
    expect(await wrongColumns(entry({}))).toEqual([])
  })

  test.each<[string, Partial<Expected>, Column[]]>([
    ['name', { sni: 'other.example' }, [...answers, 'fields']],
    ['no name', { sni: null }, [...answers, 'fields']],
    ['ALPN', { alpn: ['http/1.1', 'h2'] }, ['fields']],
    ['ALPN in hex', { alpn_hex: ['6833'] }, ['fields']],
    ['legacy version', { legacy_version: '0301' }, ['fields']],
    ['highest version', { max_version: '0303' }, ['fields']],
    ['versions', { supported_versions: ['0304'] }, ['fields']],
    ['absent versions', { supported_versions: null }, ['fields']],
    ['version names', { tls_versions: ['TLSv1.3'] }, ['fields']],
    ['cipher suites', { cipher_suites: ['1301'] }, ['fields']],
    ['extensions', { extensions: ['0000'] }, ['fields']],
    ['an extension that is missing', { extensions_among: ['0029'] }, ['fields']],
    ['signature algorithms', { signature_algorithms: [] }, ['fields']],
    ['groups', { supported_groups: ['001d'] }, ['fields']],
    ['ECH', { has_ech: true }, ['fields']],
    ['JA4', { ja4: 't13d1516h2_8daaf6152771_e5627efa2ab1' }, ['JA4']],
    ['JA4 that is none of several', { ja4_alternatives: ['t13d1516h2_8daaf6152771_e5627efa2ab1'] }, ['JA4']],
  ])('%s', async (_what, labels, columns) => {
    expect((await wrongColumns(entry({}, labels))).toSorted()).toEqual(columns.toSorted())
  })

  test('the size of the message, and another original', async () => {
    expect(await wrongColumns(entry({ handshake_message_bytes: 1 }))).toEqual(['fields'])
    const other = records(helloMessage({ extensions: [serverName('api.vector.example')] }))
    expect(await wrongColumns({ ...entry({}), original: other })).toEqual(['fields'])
  })
})

describe('other bytes are found', () => {
  test('a hello that is not all there', async () => {
    const columns = await wrongColumns(entry({ hex: good.hex!.slice(0, -2) }))
    expect(columns.toSorted()).toEqual(['status', ...answers, 'fields', 'forwarded'].toSorted())
  })

  test('a hello that is complete before its last byte', async () => {
    expect(await wrongColumns(entry({ hex: `${good.hex}00` }))).toEqual(['prefixes'])
  })

  test('a hello where none should be', async () => {
    for (const status of ['malformed', 'not_tls', 'sslv2_hello', 'incomplete']) {
      expect(await wrongColumns(entry({ expected: { status } }))).toEqual(['status', 'forwarded'])
    }
  })

  test('and none where one is refused as it should be', async () => {
    expect(await wrongColumns(entry({ hex: '47455420', expected: { status: 'not_tls' } }))).toEqual([])
    expect(await wrongColumns(entry({ hex: good.hex!.slice(0, -2), expected: { status: 'incomplete' } }))).toEqual([])
  })
})

describe('the other files', () => {
  const wrong = (findings: readonly Parameters<typeof isRight>[0][]) =>
    findings.filter(finding => !isRight(finding)).map(({ column }) => column)
  const hex = good.hex!

  test('first bytes', async () => {
    const start = { id: 'x', client_first_bytes_after_greeting_hex: null }
    expect(wrong(await checkFirstBytes({ ...start, kind: 'client_first_not_tls', first_bytes_hex: '474554' }))).toEqual([])
    const hello = await checkFirstBytes({ ...start, kind: 'client_first_not_tls', first_bytes_hex: hex })
    expect(new Set(wrong(hello))).toEqual(new Set(['status', 'whole', 'byte by byte', 'forwarded']))
    expect(wrong(await checkFirstBytes({ ...start, kind: 'server_first', first_bytes_hex: hex }))).toContain('whole')
    const answered = await checkFirstBytes({
      ...start,
      kind: 'server_first',
      first_bytes_hex: '32',
      client_first_bytes_after_greeting_hex: hex,
    })
    expect(wrong(answered)).toContain('status')
  })

  test('a prefix that is no protocol of its own', async () => {
    expect(wrong(await checkPrefixed({ ...good, prefix_hex: '434f4e' }, wireOf(good)))).toEqual([])
    expect(wrong(await checkPrefixed({ ...good, prefix_hex: '' }, wireOf(good)))).toContain('status')
  })

  test('the fuzz corpus: another answer of Go, and a reason that is not needed', () => {
    const go = {
      result: 'ok',
      sni_hex: Buffer.from('api.vector.example').toString('hex'),
      alpn_hex: ['6832', '687474702f312e31'],
    } as const
    expect(wrong(checkFuzz({ id: 'x', hex, go_crypto_tls: { ...go, extensions: undefined as never } }))).toContain('fields')
    expect(
      wrong(checkFuzz({ id: 'x', hex, go_crypto_tls: { result: 'error', error: 'tls: error decoding message' } })),
    ).toEqual(['status', 'whole'])
    expect(wrong(checkFuzz({ id: 'x', hex, go_crypto_tls: { result: 'error', error: 'tls: something new' } }))).toEqual([
      'status',
      'whole',
    ])
    for (const id of [...Object.keys(moreLenientThanGo), ...Object.keys(earlierThanGo)]) {
      expect(wrong(checkFuzz({ id, hex, go_crypto_tls: go }))).toContain('status')
    }
  })
})

describe('the table', () => {
  const wrong = entry({}, { sni: 'other.example' })
  const row = rowOf('clienthello-x.json', [
    { id: 'right', findings: checkParsing(entry({})), hello: 'bytes' },
    { id: 'wrong', findings: checkParsing(wrong), hello: 'recipe' },
  ])

  test('counts a vector once in each column, and a hello as definite only when it is right every way', () => {
    expect(row).toMatchObject({
      vectors: 2,
      definite: { right: 1, of: 2 },
      definiteAsBytes: { right: 1, of: 1 },
      scores: { status: { right: 2, of: 2 }, whole: { right: 1, of: 2 }, prefixes: { right: 2, of: 2 } },
    })
    expect(sumOf([row, row])).toMatchObject({
      vectors: 4,
      definite: { right: 2, of: 4 },
      scores: { fields: { right: 2, of: 4 } },
    })
  })

  test('shows them, and every mismatch with file, id, expectation and answer', () => {
    expect(tableOf([row])).toMatch(/^\| file .*\n\|-.*\n\| clienthello-x\.json \| +2 \| +1\/2 \| +2\/2 \|.*\n\| \*\*all\*\* /)
    expect(sumLineOf([row])).toBe(
      '1 of 2 definite answers, whole, in the listed cuts and byte by byte (1 of 1 without the 1 hellos that are given as a recipe); 5 mismatches in any column',
    )
    expect(row.mismatches.map(mismatchText)).toContain(
      'MISMATCH clienthello-x.json wrong, whole\n  expected "other.example"\n  got      "api.vector.example"',
    )
  })
})
