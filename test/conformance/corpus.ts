/** All the vectors there are, file by file, and the checks that each file gets: what the runner and the tests go through. */
import {
  type FirstBytesVector,
  type FuzzVector,
  ownHelloFiles,
  ownHellosFolder,
  type Vector,
  vectorsOf,
  wireOf,
} from '../support/tls-hellos-vectors.ts'
import { checkForwarding, checkParsing, type Entry, mustBeRead } from './checks.ts'
import { type Finding, type Judged, type Row, rowOf } from './findings.ts'
import { checkFuzz } from './fuzz-corpus.ts'
import { checkFirstBytes, checkPrefixed } from './other-starts.ts'

/** Not here: proxy-protocol.json, which holds no TLS. */
export const helloFiles = [
  'clienthello-foxio.json',
  'clienthello-ndpi.json',
  'clienthello-zeek.json',
  'clienthello-suricata.json',
  'clienthello-handcrafted.json',
  'clienthello-refragmented.json',
  'clienthello-live.json',
] as const
export const fuzzFile = 'clienthello-fuzz-boringssl.json'
export const firstBytesFile = 'first-bytes-not-tls.json'

/** `folder`: where the shared vectors lie. */
export function entriesOf(file: string, folder?: string): Entry[] {
  const sources = new Map<string, Vector>()
  if (file === 'clienthello-refragmented.json') {
    for (const vector of helloFiles.flatMap(other => vectorsOf(other, folder))) sources.set(vector.id, vector)
  }
  return vectorsOf(file, folder).map(vector => {
    // Re-cut into other records, a hello says all that it said before.
    const source = sources.get(vector.derived_from ?? '')
    const original = source === undefined ? null : wireOf(source, folder)
    return { vector, wire: wireOf(vector, folder), labels: { ...source?.expected, ...vector.expected }, original }
  })
}

export function parsingRow(file: string, folder?: string): Row {
  return rowOf(
    file,
    entriesOf(file, folder).map(entry => judged(entry, checkParsing(entry))),
  )
}

/** Every row of the table, one after the other. */
export async function* rowsOf(folder: string): AsyncGenerator<Row> {
  for (const file of helloFiles) yield wholeRow(file, folder)
  yield fuzzRow(folder)
  yield firstBytesRow(folder)
  yield prefixedRow(folder)
}

export function fuzzRow(folder?: string): Row {
  const vectors = vectorsOf<FuzzVector>(fuzzFile, folder)
  return rowOf(
    fuzzFile,
    vectors.map(vector => ({ id: vector.id, findings: checkFuzz(vector), hello: null })),
  )
}

export async function firstBytesRow(folder?: string): Promise<Row> {
  const all: Judged[] = []
  for (const vector of vectorsOf<FirstBytesVector>(firstBytesFile, folder)) {
    all.push({ id: vector.id, findings: await checkFirstBytes(vector), hello: null })
  }
  return rowOf(firstBytesFile, all)
}

/** Of all the files: the hellos that another protocol came before. */
export async function prefixedRow(folder?: string): Promise<Row> {
  const all: Judged[] = []
  for (const { vector, wire } of helloFiles.flatMap(file => entriesOf(file, folder))) {
    if (typeof vector.prefix_hex !== 'string') continue
    all.push({ id: vector.id, findings: await checkPrefixed(vector, wire), hello: null })
  }
  return rowOf('(hellos behind another protocol)', all)
}

/** The hellos of real clients that this repository holds. */
export async function* ownRows(): AsyncGenerator<Row> {
  for (const file of ownHelloFiles()) yield wholeRow(file, ownHellosFolder)
}

async function wholeRow(file: string, folder: string): Promise<Row> {
  const all: Judged[] = []
  for (const entry of entriesOf(file, folder)) {
    all.push(judged(entry, [...checkParsing(entry), ...(await checkForwarding(entry))]))
  }
  return rowOf(file, all)
}

function judged({ vector }: Entry, findings: readonly Finding[]): Judged {
  const given = typeof vector.hex === 'string' ? 'bytes' : 'recipe'
  return { id: vector.id, findings, hello: mustBeRead(vector) ? given : null }
}
