import { isIPv4, isIPv6 } from 'node:net'
import type { Endpoint } from './network.ts'

/**
 * Addresses as people write them and as the program compares them: one spelling for each, so that two configured
 * addresses are the same exactly when their texts are.
 */

export type Parsed<Value> = { readonly value: Value } | { readonly problem: string }

/**
 * The canonical spelling of an IP literal without brackets: dotted decimal, or RFC 5952 (section 4). Numbers that only
 * look like IPv4 (`010.0.0.1`, `0x7f.1`), zone ids and IPv4-mapped IPv6 are problems: each has a second meaning.
 */
export function canonicalIp(text: string): Parsed<string> {
  if (isIPv4(text)) return { value: text }
  if (text.includes('%')) return { problem: `"${text}" has a zone id, which means something on one machine only; leave it out` }
  if (!isIPv6(text)) return { problem: `"${text}" is not an IP address` }
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical)
  if (mapped) return { problem: `"${text}" is an IPv4 address inside IPv6; write ${dotted(mapped[1]!, mapped[2]!)}` }
  return { value: canonical }
}

function dotted(high: string, low: string): string {
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`
}

/** A port in decimal digits. 0 ("any free port") only where `lowest` allows it. */
export function parsePort(text: string, lowest: 0 | 1 = 1): Parsed<number> {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  return port >= lowest && port <= 65_535
    ? { value: port }
    : { problem: `"${text}" is not a port; a port is a number from ${lowest} to 65535` }
}

/**
 * `[::]:8443`, `127.0.0.1:4000` or `localhost:4000` (which means 127.0.0.1). Other names are a problem: what to bind
 * must not depend on a resolver.
 */
export function parseEndpoint(text: string, lowestPort: 0 | 1 = 0): Parsed<Endpoint> {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text)
  if (match === null) {
    return { problem: `"${text}" is not an address; write ip:port, with IPv6 in brackets, such as 127.0.0.1:4000 or [::]:8443` }
  }
  const [, bracketed, plain, portText] = match
  const port = parsePort(portText!, lowestPort)
  if ('problem' in port) return { problem: `in "${text}", ${port.problem}` }
  if (bracketed !== undefined && !bracketed.includes(':')) {
    return { problem: `in "${text}", only IPv6 addresses stand in brackets` }
  }
  if (plain !== undefined && plain.toLowerCase() === 'localhost') return { value: { ip: '127.0.0.1', port: port.value } }
  const ip = canonicalIp(bracketed ?? plain!)
  if ('problem' in ip) return { problem: `in "${text}", ${ip.problem}; write an IP literal, such as 127.0.0.1 or [::]` }
  return { value: { ip: ip.value, port: port.value } }
}

/** `ip:port`, with brackets around IPv6. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.ip.includes(':') ? `[${endpoint.ip}]:${endpoint.port}` : `${endpoint.ip}:${endpoint.port}`
}

/** Reached from this machine only: 127.0.0.0/8 (RFC 1122, section 3.2.1.3) or ::1 (RFC 4291, section 2.5.3). */
export function isLoopback(ip: string): boolean {
  return ip === '::1' || (isIPv4(ip) && ip.startsWith('127.'))
}

/** "Any address of this machine": names no particular machine, so nothing can be dialled there. */
export function isUnspecified(ip: string): boolean {
  return ip === '::' || ip === '0.0.0.0'
}

/** Whether binding both would fail. `::` is dual-stack and covers IPv4 too; port 0 never collides. */
export function collides(one: Endpoint, other: Endpoint): boolean {
  if (one.port !== other.port || one.port === 0) return false
  return one.ip === other.ip || covers(one.ip, other.ip) || covers(other.ip, one.ip)
}

function covers(wildcard: string, ip: string): boolean {
  return wildcard === '::' || (wildcard === '0.0.0.0' && isIPv4(ip))
}
