import { isIPv4 } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Parsed } from '../core/endpoint.ts'

/** Host names in their one comparable spelling: lower case, every label an A-label (IDNA, UTS 46). */

const hostNameMax = 253
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
const asciiOfAName = /^[A-Za-z0-9._-]$/

/**
 * A host name without a final dot. Names that some resolvers would take for a number (`10.1`, `0x7f.1`, full-width
 * digits) are problems, because they mean different addresses to different programs.
 */
export function canonicalHostName(text: string): Parsed<string> {
  for (const character of text) {
    if (character.codePointAt(0)! < 0x80 && !asciiOfAName.test(character)) {
      return { problem: `${JSON.stringify(character)} can't stand in a host name` }
    }
  }
  const ascii = domainToASCII(text)
  if (text === '' || ascii === '') return { problem: `"${text}" is not a host name` }
  if (ascii.endsWith('.')) return { problem: `"${text}" ends in a dot; leave it out` }
  const labels = ascii.split('.')
  if (ascii.length > hostNameMax || !labels.every((part) => label.test(part))) {
    return {
      problem:
        `"${text}" is not a host name: labels have 1 to 63 letters, digits, "-" or "_", none starts or ends with "-", ` +
        `and all of it at most ${hostNameMax} characters`,
    }
  }
  if (isIPv4(ascii) || /^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) {
    return { problem: `"${text}" ends in a number, so it reads as an IPv4 address that it is not` }
  }
  return { value: ascii }
}

/** What a pool may claim: an exact name or one wildcard label in front (RFC 6125, section 6.4.3, whole label only). */
export function canonicalServerName(text: string): Parsed<string> {
  const wildcard = text.startsWith('*.')
  const name = wildcard ? text.slice(2) : text
  if (name.includes('*')) return { problem: `"${text}": "*" may only stand for the whole first label, as in *.example.com` }
  if (isIPv4(name) || name.includes(':')) {
    return { problem: `"${text}" is an address; clients send host names only (RFC 6066, section 3)` }
  }
  const canonical = canonicalHostName(name)
  if ('problem' in canonical) return canonical
  const value = wildcard ? `*.${canonical.value}` : canonical.value
  return value.length > hostNameMax ? { problem: `"${text}" has more than ${hostNameMax} characters` } : { value }
}
