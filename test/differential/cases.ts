/** What is sent to every proxy, and where it has to end up: hellos of real clients as they were, cut anew, padded, damaged. */
import type { SeededRandom } from '../simulation/seeded-random.ts'
import { cut, record, records } from '../support/tls-hellos.ts'
import { offeredVersions } from './clients.ts'
import { damages, type Damage } from './damage.ts'
import { nameAt, padded, withName } from './hello-edits.ts'
import { defaultPlace, refused, type Hello, type Place, type Routes } from './hellos.ts'

export const groups = ['real clients', 'cut anew', 'padded', 'odd names', 'framing', 'message', 'name', 'no hello'] as const
export type Group = (typeof groups)[number]

/** How the bytes are handed to TCP. */
export type Segments = 'whole' | 'halves' | 'bytes'

/** What Waybill's records have to say of it. */
export type Recorded =
  | { readonly because: string }
  | { readonly serverName: string | null; readonly alpn: readonly string[]; readonly tlsVersions: readonly string[] }

export interface Case {
  readonly group: Group
  /** Within its group: a row of the report. */
  readonly what: string
  readonly hello: Hello
  readonly wire: Buffer
  readonly segments: Segments
  /** The client says after its last byte that it will send nothing more. */
  readonly ends: boolean
  readonly expected: Place
  /** Where another proxy may send it as well: the rules leave it open, and Waybill alone is held to `expected`. */
  readonly elsewhere: readonly Place[]
  readonly recorded: Recorded
}

type Sent = Pick<Case, 'what' | 'wire'> & Partial<Pick<Case, 'segments'>>

const recordTypeData = 23
/** Behind the header and the version. */
const clientRandomAt = 6
const clientRandomBytes = 32
const bytesBehindMax = 4_000

export function casesOf(random: SeededRandom, routes: Routes, hello: Hello, damages: readonly Damage[]): readonly Case[] {
  return [
    ...sentWhole(random, hello).map((sent) => right('real clients', hello, sent)),
    ...cutAnew(random, hello).map((sent) => right('cut anew', hello, sent)),
    ...withPadding(random, hello).map((sent) => right('padded', hello, sent)),
    ...oddNames(routes, hello),
    ...damages.map((damage) => damaged(random, routes, hello, damage)),
  ]
}

/** The next few of all for each hello, so that every kind has its turn. */
export function damagesFor(index: number, count: number): readonly Damage[] {
  return Array.from({ length: count }, (_, turn) => damages[(index * count + turn) % damages.length]!)
}

function sentWhole(random: SeededRandom, { message }: Hello): readonly Sent[] {
  const wire = record(message)
  // With a client random of its own, so that no backend takes its beginning for the whole of another case.
  const other = Buffer.from(message)
  random.fill(other.subarray(clientRandomAt, clientRandomAt + clientRandomBytes))
  const behind = Buffer.alloc(random.integer(1, bytesBehindMax))
  random.fill(behind)
  return [
    { what: 'as sent', wire },
    { what: 'as sent, two segments', wire, segments: 'halves' },
    { what: 'as sent, byte by byte', wire, segments: 'bytes' },
    { what: 'as sent, more bytes behind it', wire: Buffer.concat([record(other), record(behind, recordTypeData)]) },
  ]
}

function cutAnew(random: SeededRandom, hello: Hello): readonly Sent[] {
  const { message } = hello
  const sizes = Array.from({ length: 5 }, () => random.integer(1, 400))
  return [
    { what: 'records of 1 byte', wire: records(message, [1]) },
    { what: 'records of 4 bytes', wire: records(message, [4]) },
    { what: 'records of 7 bytes', wire: records(message, [7]) },
    { what: 'records of 64 bytes', wire: records(message, [64]) },
    { what: 'records of 64 bytes, byte by byte', wire: records(message, [64]), segments: 'bytes' },
    { what: 'records of any size, two segments', wire: records(message, sizes), segments: 'halves' },
    ...(hello.asked.name === null ? [] : [{ what: 'a record boundary in the name', wire: cutInName(random, message, hello.asked.name) }]),
  ]
}

function cutInName(random: SeededRandom, message: Buffer, name: string): Buffer {
  const at = nameAt(message) + random.integer(1, name.length - 1)
  return Buffer.concat(cut(message, [at, message.length]).map((piece) => record(piece)))
}

function withPadding(random: SeededRandom, { message }: Hello): readonly Sent[] {
  const short = padded(message, random.integer(1_400, 16_384))
  const long = padded(message, random.integer(16_385, 60_000))
  const sizes = [random.integer(64, 16_384), random.integer(64, 2_000)]
  return [
    { what: 'up to 16 KiB, one record', wire: record(short) },
    { what: 'up to 60,000 bytes', wire: records(long), segments: 'halves' },
    { what: 'up to 60,000 bytes, records of any size', wire: records(long, sizes) },
  ]
}

/** RFC 6066, section 3 forbids both, and clients send them all the same. */
function oddNames(routes: Routes, hello: Hello): readonly Case[] {
  const { message, name } = hello.sound
  const odd = (what: string, serverName: string, expected: Place, elsewhere: readonly Place[]): Case => ({
    ...right('odd names', hello, { what, wire: record(withName(message, serverName)) }),
    expected,
    elsewhere,
    recorded: { ...factsOf(hello), serverName },
  })
  return [
    odd('a dot behind the name', `${name}.`, placeOf(routes, name), [refused, defaultPlace]),
    odd('an IP address as the name', '192.0.2.7', defaultPlace, [refused]),
  ]
}

function damaged(random: SeededRandom, routes: Routes, hello: Hello, damage: Damage): Case {
  const elsewhere = damage.elsewhere === undefined ? [] : [damage.elsewhere === 'default' ? defaultPlace : placeOf(routes, hello.sound.name)]
  return {
    group: damage.group,
    what: damage.what,
    hello,
    wire: damage.wire(hello.sound, random),
    segments: 'whole',
    ends: damage.ends === true,
    expected: refused,
    elsewhere,
    recorded: { because: damage.because },
  }
}

function right(group: Group, hello: Hello, { what, wire, segments = 'whole' }: Sent): Case {
  return { group, what, hello, wire, segments, ends: false, expected: hello.place, elsewhere: [], recorded: factsOf(hello) }
}

function factsOf({ asked }: Hello): Exclude<Recorded, { because: string }> {
  return { serverName: asked.name?.toLowerCase() ?? null, alpn: asked.alpn, tlsVersions: offeredVersions(asked) }
}

function placeOf(routes: Routes, name: string): Place {
  return routes.get(name) ?? defaultPlace
}
