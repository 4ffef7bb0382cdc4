/** Names of the protocol versions that a hello offers, and which code points are GREASE. */
import { InvariantViolation } from '../../core/errors.ts'
import { hex16 } from './bytes.ts'

const tls12 = 0x0303

const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLSv1.1'],
  [tls12, 'TLSv1.2'],
  [0x0304, 'TLSv1.3'],
])

/** RFC 8701: 0x0a0a, 0x1a1a, ... 0xfafa. Sent to keep servers tolerant; means nothing. */
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

export function versionName(version: number): string {
  return versionNames.get(version) ?? hex16(version)
}

/** Wire number of a version's name, such as TLSv1.2. */
export function versionNumber(name: string): number {
  for (const [version, known] of versionNames) if (known === name) return version
  throw new InvariantViolation(`${name} is no TLS version`)
}

/** The highest version offered that has a name; null: only drafts, GREASE or what nobody knows. */
export function highestOffered(legacyVersion: number, supportedVersions: readonly number[] | null): number | null {
  let highest: number | null = null
  for (const version of supportedVersions ?? [statedVersion(legacyVersion)]) {
    if (versionNames.has(version) && version > (highest ?? 0)) highest = version
  }
  return highest
}

/** What the client says it would speak. Without the extension it states only its highest version. */
export function offeredVersions(legacyVersion: number, supportedVersions: readonly number[] | null): string[] {
  if (supportedVersions === null) return [versionName(statedVersion(legacyVersion))]
  const names: string[] = []
  for (const version of supportedVersions) if (!isGrease(version)) names.push(versionName(version))
  return names
}

/** RFC 8446 section 4.2.1: without the extension 1.2 is the most that may be negotiated, whatever this field says. */
function statedVersion(legacyVersion: number): number {
  return legacyVersion >> 8 === 3 ? Math.min(legacyVersion, tls12) : legacyVersion
}
