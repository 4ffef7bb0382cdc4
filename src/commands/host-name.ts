import { isIPv4 } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import { canonicalIp, type Parsed } from '../core/endpoint.ts'

/** Host names in their one comparable spelling: lower case, every label an A-label (IDNA, UTS 46). */

const hostNameMax = 253
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
/** One, in any spelling that UTS 46 maps to it. */
const finalDot = /[.\u3002\uff0e\uff61]$/
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
  if (text === '') return { problem: '"" is not a host name: it is empty' }
  const ascii = domainToASCII(text)
  if (ascii === '') return { problem: noIdna(text) }
  if (ascii.endsWith('.')) return { problem: `"${text}" ends in a dot; leave it out` }
  const labels = ascii.split('.')
  if (ascii.length > hostNameMax || !labels.every((part) => label.test(part))) {
    return {
      problem:
        `"${text}" is not a host name: labels have 1 to 63 letters, digits, "-" or "_", none starts or ends with "-", ` +
        `and all of it at most ${hostNameMax} characters`,
    }
  }
  if (isIPv4(ascii) || isNumber(labels.at(-1)!)) return { problem: endsInNumber(text) }
  const broken = labels.find((part) => !isEncodedRight(part))
  if (broken !== undefined) return { problem: noALabel(text, broken) }
  return { value: ascii }
}

/** Why UTS 46 has no A-labels for it. */
function noIdna(text: string): string {
  // As it maps them: full-width digits and dots are those that they look like.
  const labels = text.normalize('NFKC').toLowerCase().split(/[.\u3002]/)
  if (isNumber(labels.at(-1)!)) return endsInNumber(text)
  const broken = labels.find((part) => part.startsWith('xn--') && domainToASCII(part) === '')
  if (broken !== undefined) return noALabel(text, broken)
  return `"${text}" is not a host name: it has characters, or an order of them, that IDNA does not allow`
}

/** WHATWG URL, "ends in a number": what such a name would be taken for. */
function isNumber(part: string): boolean {
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(part)
}

function endsInNumber(text: string): string {
  return `"${text}" ends in a number, so it reads as an IPv4 address that it is not`
}

/** RFC 5890, section 2.3.2.1: a label that starts with `xn--` is the encoding of one in Unicode, or no label at all. */
function isEncodedRight(part: string): boolean {
  if (!part.startsWith('xn--')) return true
  const unicode = domainToUnicode(part)
  return unicode !== '' && unicode !== part && domainToASCII(unicode) === part
}

function noALabel(text: string, part: string): string {
  return `"${text}" is not a host name: "${part}" starts like an A-label and is none (IDNA, UTS 46); write the name as it is read`
}

/**
 * What a pool may claim: an exact name, `*.` for one label in front (RFC 9525, section 6.3), `**.` for any number of
 * them, or an IP address. No client should send an address as server name (RFC 6066, section 3); some do. One final
 * dot is left out.
 */
export function canonicalServerName(text: string): Parsed<string> {
  const wildcard = wildcardOf(text)
  // What the final dot says, that it is a whole name, is so for every name here; clients send both spellings.
  const written = text.slice(wildcard.length)
  const name = written.includes(':') ? written : written.replace(finalDot, '')
  if (wildcard !== '' && name === '') return { problem: `"${text}" has no name behind the "${wildcard}", as in ${wildcard}example.com` }
  if (name.includes('*')) {
    return { problem: `"${text}": "*" or "**" may only stand for the whole first label, as in *.example.com or **.example.com` }
  }
  if (isIPv4(name) || name.includes(':')) {
    return wildcard === '' ? canonicalAddress(name) : { problem: `"${text}": an address has no labels that "*" could stand for` }
  }
  const canonical = canonicalHostName(name)
  if ('problem' in canonical) return canonical
  const value = `${wildcard}${canonical.value}`
  return value.length > hostNameMax ? { problem: `"${text}" has more than ${hostNameMax} characters` } : { value }
}

function canonicalAddress(text: string): Parsed<string> {
  const ip = canonicalIp(text)
  if ('value' in ip || !/[[\]]|^[^:]*:[0-9]*$/.test(text)) return ip
  return { problem: `"${text}" has a port or brackets, which no server name has; leave them out` }
}

/** As people read it: A-labels of other scripts as Unicode (UTS 46). The same text where there are none. */
export function unicodeServerName(pattern: string): string {
  const wildcard = wildcardOf(pattern)
  const name = pattern.slice(wildcard.length)
  // What is no IDNA has an empty one.
  return name.includes(':') ? pattern : `${wildcard}${domainToUnicode(name) || name}`
}

function wildcardOf(pattern: string): '' | '*.' | '**.' {
  if (pattern.startsWith('**.')) return '**.'
  return pattern.startsWith('*.') ? '*.' : ''
}
