import { isIPv4 } from 'node:net'
import { canonicalIp, formatEndpoint, isUnspecified, parsePort, type Parsed } from '../core/endpoint.ts'
import { canonicalHostName } from './host-name.ts'

/**
 * Reads the URL of a backend. Stricter than a browser: a URL that carries anything which this proxy would have to
 * ignore is a problem, because a passthrough proxy sends bytes to host and port and can honour nothing else.
 */

export interface BackendAddress {
  /** Canonical `host:port`, brackets around IPv6: unique in its pool. */
  readonly id: string
  /** Host name or IP literal without brackets. */
  readonly host: string
  readonly port: number
}

const defaultPort = 443
const urlMax = 2_048
const form = 'write https://host or https://host:port'

export function parseBackendUrl(url: string): Parsed<BackendAddress> {
  if (url.length > urlMax) return { problem: `a URL of a backend has at most ${urlMax} characters` }
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s.exec(url)
  // What has an "@" may hold a password.
  if (match === null) return { problem: `${url.includes('@') ? 'it' : `"${url}"`} is not a URL; ${form}` }
  const [, scheme, rest] = match
  if (scheme!.toLowerCase() !== 'https') {
    return { problem: `the scheme is "${scheme}"; backends are reached by TLS only, so ${form}` }
  }
  const surplus = surplusIn(rest!)
  if (surplus !== null) return { problem: surplus }
  return parseAuthority(rest!)
}

function surplusIn(rest: string): string | null {
  const authority = /^[^/?#\\]*/.exec(rest)![0]
  if (authority.includes('@')) {
    return `a backend takes no user or password, and this one was not stored; ${form}`
  }
  const next = rest[authority.length]
  if (next === undefined) return null
  const what = next === '?' ? 'query' : next === '#' ? 'fragment' : 'path'
  const surplus = rest.slice(authority.length)
  return `the URL has a ${what} ("${surplus}"), which a proxy that never decrypts can't honour; leave it out: ${form}`
}

function parseAuthority(authority: string): Parsed<BackendAddress> {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(authority)
  if (match === null) return { problem: `"${authority}" is not host or host:port (IPv6 stands in brackets); ${form}` }
  const [, bracketed, plain, portText] = match
  const port = portText === undefined ? { value: defaultPort } : parsePort(portText)
  if ('problem' in port) return port
  const host = bracketed === undefined ? parseHost(plain!) : parseIpv6(bracketed)
  if ('problem' in host) return host
  if (isUnspecified(host.value)) return { problem: `${host.value} is no address of a backend: it names no machine` }
  return {
    value: { id: formatEndpoint({ ip: host.value, port: port.value }), host: host.value, port: port.value },
  }
}

function parseHost(text: string): Parsed<string> {
  if (text === '') return { problem: `the host is missing; ${form}` }
  return isIPv4(text) ? { value: text } : canonicalHostName(text)
}

function parseIpv6(text: string): Parsed<string> {
  return text.includes(':') ? canonicalIp(text) : { problem: `"[${text}]": only IPv6 addresses stand in brackets` }
}
