import { describe, expect, test } from 'vitest'
import {
  entriesOf,
  firstBytesRow,
  fuzzFile,
  fuzzRow,
  helloFiles,
  parsingRow,
  prefixedRow,
} from '../../conformance/corpus.ts'
import { earlierThanGo, moreLenientThanGo } from '../../conformance/fuzz-corpus.ts'
import { mismatchText } from '../../conformance/table.ts'
import {
  type FuzzVector,
  ownHelloFiles,
  ownHellos,
  ownHellosFolder,
  skipReason,
  vectorsMissing,
  vectorsOf,
} from '../../support/tls-hellos-vectors.ts'

/** [file, vectors in it, hellos among them that must be read, hellos whose JA4 somebody else has said] */
const files = [
  ['clienthello-foxio.json', 91, 91, 91],
  ['clienthello-ndpi.json', 420, 419, 333],
  ['clienthello-zeek.json', 75, 75, undefined],
  ['clienthello-suricata.json', 112, 112, undefined],
  ['clienthello-handcrafted.json', 39, 19, undefined],
  ['clienthello-refragmented.json', 70, 70, 25],
  ['clienthello-live.json', 23, 23, 3],
] as const

/** Some 600,000 prefixes: a second or two, and more on a busy machine. */
const slowTestTimeoutMs = 120_000

if (vectorsMissing) {
  test('the shared vectors are there', context => {
    if ((process.env['CI'] ?? '') !== '') expect.unreachable(skipReason)
    context.skip(skipReason)
  })
}

describe.skipIf(vectorsMissing)('ClientHello vectors, without the data path behind the parser', () => {
  test('every file has its numbers here', () => {
    expect(files.map(([file]) => file)).toEqual(helloFiles)
  })

  test.each(files)(
    '%s: %i vectors, of which %i are hellos',
    (file, vectors, hellos, fingerprints) => {
      const row = parsingRow(file)
      expect(row.mismatches.map(mismatchText)).toEqual([])
      expect({ ...row, scores: row.scores.JA4?.of }).toMatchObject({
        vectors,
        definite: { of: hellos, right: hellos },
        scores: fingerprints,
      })
    },
    slowTestTimeoutMs,
  )

  test('a re-cut hello is held to all that is known of the original', () => {
    const entries = entriesOf('clienthello-refragmented.json')
    expect(entries.filter(({ original }) => original !== null)).toHaveLength(50)
    expect(entries.filter(({ labels }) => labels.cipher_suites !== undefined)).toHaveLength(35)
    expect(entries.filter(({ vector }) => vector.handshake_message_bytes !== undefined)).toHaveLength(20)
  })
})

describe.skipIf(vectorsMissing)('what is no hello', () => {
  test('98 first bytes of other protocols are not TLS by the fourth, and never passed on', async () => {
    const { mismatches, scores } = await firstBytesRow()
    expect(mismatches.map(mismatchText)).toEqual([])
    // One server speaks first to a client that never answers.
    expect([scores.status?.of, scores.forwarded?.of]).toEqual([98, 97])
  })

  test('CONNECT, STARTTLS and SSLRequest decide, whatever hello comes behind them', async () => {
    const { mismatches, vectors } = await prefixedRow()
    expect(mismatches.map(mismatchText)).toEqual([])
    expect(vectors).toBe(26)
  })
})

describe.skipIf(vectorsMissing)('the BoringSSL fuzz corpus, against what Go says', () => {
  test('214 inputs, of which Go reads 166: the same here, but for the reasons written down', () => {
    const { mismatches, scores, vectors } = fuzzRow()
    expect(mismatches.map(mismatchText)).toEqual([])
    expect(vectors).toBe(214)
    expect(scores).toMatchObject({ status: { of: 214 }, fields: { of: 166 }, 'byte by byte': { of: 214 } })
  })

  test('every reason belongs to an input', () => {
    const ids = new Set(vectorsOf<FuzzVector>(fuzzFile).map(({ id }) => id))
    expect([...Object.keys(moreLenientThanGo), ...Object.keys(earlierThanGo)].filter(id => !ids.has(id))).toEqual([])
    expect(Object.keys(moreLenientThanGo)).toHaveLength(11)
  })
})

describe('hellos of real clients, as their own configuration describes them', () => {
  test.each(ownHelloFiles())('%s', file => {
    const row = parsingRow(file, ownHellosFolder)
    expect(row.mismatches.map(mismatchText)).toEqual([])
    expect(row.definite.right).toBe(row.vectors)
  })

  test('openssl, curl, Node, Go, Python, Chromium and Firefox; versions, names, ALPN, tickets, early data, several records', () => {
    expect(ownHelloFiles()).toEqual([
      'chromium.json',
      'curl.json',
      'firefox.json',
      'go.json',
      'node.json',
      'openssl.json',
      'python.json',
    ])
    const hellos = ownHellos()
    expect(hellos).toHaveLength(50)
    expect(hellos.filter(({ expected }) => expected.ja4 !== undefined)).toHaveLength(48)
    expect(hellos.filter(({ tls_record_lengths }) => (tls_record_lengths ?? []).length > 1)).toHaveLength(1)
    const extensions = new Set(hellos.flatMap(({ expected }) => expected.extensions_among ?? []))
    expect([...extensions].toSorted()).toEqual(['0005', '0023', '0029', '002a'])
  })
})
