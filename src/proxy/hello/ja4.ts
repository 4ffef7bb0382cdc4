/**
 * The JA4 fingerprint of a client, after FoxIO's public description of it (BSD-3-Clause; the rest of JA4+ is licensed
 * otherwise and is not built here). It names the software that said hello, for records and their readers; nothing is
 * routed or refused by it.
 */
import { sha256Hex } from '../../core/system/digest.ts'
import type { ClientHello } from './client-hello.ts'
import { typeAlpn, typeServerName } from './extensions.ts'
import { isGrease } from './versions.ts'

const countMax = 99
const hashCharacters = 12
/** In place of the hash of an empty list, so that a reader sees that it was empty. */
const hashOfNothing = '0'.repeat(hashCharacters)

const versionCodes: ReadonlyMap<number, string> = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
  [0x0002, 's2'],
  [0xfeff, 'd1'],
  [0xfefd, 'd2'],
  [0xfefc, 'd3'],
])
const unknownVersion = '00'
const none: readonly number[] = []

const comma = 0x2c
const underscore = 0x5f
const hexDigits = Uint8Array.from('0123456789abcdef', digit => digit.charCodeAt(0))
/** Four hex digits and what separates them from the next four. */
const charactersEach = 5
/** More than any one list of 16-bit numbers in a hello can hold. */
const valuesMax = 0x8000
/** Most lists of real clients; longer ones are sorted by the engine. */
const insertionSortMax = 64

// Filled and read within one call, so that a connection costs no lists of its own.
const sorted = new Uint16Array(valuesMax)
const text = Buffer.alloc(2 * valuesMax * charactersEach)

/** What the fingerprint is made of. */
type Said = Pick<
  ClientHello, 'alpnFirstRaw' | 'cipherSuites' | 'extensions' | 'legacyVersion' | 'signatureAlgorithms' | 'supportedVersions'
>

interface Known {
  readonly said: Said
  readonly ja4: string
}

/** Most clients say word for word what somebody said before them, and comparing costs a tenth of hashing. */
const recent = new Map<number, Known>()
const recentMax = 256
/** Longer hellos are rare, and strangers must not decide what is kept of them. */
const rememberedValuesMax = 256

/** As over TCP: `t13d1516h2_8daaf6152771_e5627efa2ab1`, 36 characters of `[0-9A-Za-z_]` whatever the client sent. */
export function ja4(hello: ClientHello): string {
  const { alpnFirstRaw, cipherSuites, extensions, legacyVersion, signatureAlgorithms, supportedVersions } = hello
  const key = mixed(mixed(mixed(legacyVersion, cipherSuites), extensions), signatureAlgorithms)
  const known = recent.get(key)
  if (known !== undefined && isSame(known.said, hello)) return known.ja4
  const fresh = fingerprintOf(hello)
  const values = cipherSuites.length + extensions.length + signatureAlgorithms.length + (supportedVersions?.length ?? 0)
  if (values > rememberedValuesMax) return fresh
  if (recent.size >= recentMax) recent.clear()
  // Not the hello itself, which holds more.
  const said = { alpnFirstRaw, cipherSuites, extensions, legacyVersion, signatureAlgorithms, supportedVersions }
  recent.set(key, { said, ja4: fresh })
  return fresh
}

/** A number that other lists hardly have too. */
function mixed(seed: number, values: readonly number[]): number {
  let mix = Math.imul(seed ^ values.length, 0x9e3779b1)
  for (let at = 0; at < values.length; at++) mix = Math.imul(mix ^ (values[at] as number), 0x01000193)
  return mix
}

function isSame(one: Said, other: Said): boolean {
  return (
    one.alpnFirstRaw === other.alpnFirstRaw && one.legacyVersion === other.legacyVersion &&
    areSame(one.cipherSuites, other.cipherSuites) && areSame(one.extensions, other.extensions) &&
    areSame(one.signatureAlgorithms, other.signatureAlgorithms) && areSame(one.supportedVersions, other.supportedVersions)
  )
}

function areSame(one: readonly number[] | null, other: readonly number[] | null): boolean {
  if (one === null || other === null) return one === other
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

function fingerprintOf(hello: Said): string {
  const name = hello.extensions.includes(typeServerName) ? 'd' : 'i'
  const counts = twoDigits(countOf(hello.cipherSuites)) + twoDigits(countOf(hello.extensions))
  const client = `t${versionCode(hello)}${name}${counts}${alpnCode(hello.alpnFirstRaw)}`
  return `${client}_${hashOf(hello.cipherSuites, isCounted, none)}_${hashOf(hello.extensions, isHashed, hello.signatureAlgorithms)}`
}

function isCounted(value: number): boolean {
  return !isGrease(value)
}

/** These two say where the client goes rather than what it is, and stand in the first part already. */
function isHashed(type: number): boolean {
  return type !== typeServerName && type !== typeAlpn && !isGrease(type)
}

function countOf(values: readonly number[]): number {
  let count = 0
  for (let at = 0; at < values.length; at++) if (isCounted(values[at] as number)) count++
  return count
}

/** The highest number offered, even where nobody knows it: a draft of TLS 1.3 is no TLS 1.3. */
function versionCode(hello: Pick<Said, 'legacyVersion' | 'supportedVersions'>): string {
  if (hello.supportedVersions === null) return versionCodes.get(hello.legacyVersion) ?? unknownVersion
  let highest = -1
  for (const version of hello.supportedVersions) if (version > highest && !isGrease(version)) highest = version
  return versionCodes.get(highest) ?? unknownVersion
}

function twoDigits(count: number): string {
  const shown = Math.min(count, countMax)
  return shown < 10 ? `0${shown}` : `${shown}`
}

/** `raw` has one character per byte, and at least one of them. */
function alpnCode(raw: string | null): string {
  if (raw === null) return '00'
  const first = raw.charCodeAt(0)
  const last = raw.charCodeAt(raw.length - 1)
  if (isAlphanumeric(first) && isAlphanumeric(last)) return String.fromCharCode(first, last)
  return (first >> 4).toString(16) + (last & 0xf).toString(16)
}

function isAlphanumeric(byte: number): boolean {
  const lower = byte | 0x20
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x7a)
}

/** Of both lists in hex; the first one sorted, `after` in its own order, behind an underscore where it holds something. */
function hashOf(values: readonly number[], wanted: (value: number) => boolean, after: readonly number[]): string {
  const count = sort(values, wanted)
  if (count === 0) return hashOfNothing
  let end = 0
  for (let at = 0; at < count; at++) end = write(sorted[at] as number, end)
  const before = end
  for (let at = 0; at < after.length; at++) if (isCounted(after[at] as number)) end = write(after[at] as number, end)
  if (end > before) text[before - 1] = underscore
  return sha256Hex(text.subarray(0, end - 1)).slice(0, hashCharacters)
}

/** Fills `sorted` from its beginning; returns how many there are. */
function sort(values: readonly number[], wanted: (value: number) => boolean): number {
  let count = 0
  for (let at = 0; at < values.length; at++) if (wanted(values[at] as number)) sorted[count++] = values[at] as number
  if (count > insertionSortMax) {
    sorted.subarray(0, count).sort()
    return count
  }
  for (let next = 1; next < count; next++) {
    const value = sorted[next] as number
    let at = next
    for (; at > 0 && (sorted[at - 1] as number) > value; at--) sorted[at] = sorted[at - 1] as number
    sorted[at] = value
  }
  return count
}

/** Four digits and a comma; returns where they end. */
function write(value: number, at: number): number {
  text[at] = hexDigits[value >> 12] as number
  text[at + 1] = hexDigits[(value >> 8) & 0xf] as number
  text[at + 2] = hexDigits[(value >> 4) & 0xf] as number
  text[at + 3] = hexDigits[value & 0xf] as number
  text[at + 4] = comma
  return at + charactersEach
}
