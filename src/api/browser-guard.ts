import type { FastifyRequest } from 'fastify'
import { formatEndpoint } from '../core/endpoint.ts'
import type { Endpoint } from '../core/network.ts'
import { Problem } from './problem.ts'

/**
 * Keeps web pages from driving the API through a browser on the same machine. A page can make the browser send
 * requests to loopback (cross-site request forgery) or point a name of its own there (DNS rebinding); it can forge
 * neither Host nor Origin nor Sec-Fetch-Site.
 */

export type Denial = 'cross_site' | 'host_not_ours' | 'origin_not_ours'

/** `same-site` is refused too: a page on another port of this machine is the same site to a browser. */
const ownFetchSites: readonly string[] = ['none', 'same-origin']

/** The authorities that this API answers to. The port is the one the client reached, so a chosen port 0 works. */
function ownAuthorities(bound: Endpoint, port: number): readonly string[] {
  const hosts = new Set(['localhost', '127.0.0.1', '[::1]', formatEndpoint({ ip: bound.ip, port: 0 }).slice(0, -2)])
  return [...hosts].flatMap((host) => (port === 80 ? [`${host}:80`, host] : [`${host}:${port}`]))
}

/** Why the request is turned away, or null. */
export function denial(request: FastifyRequest, bound: Endpoint): (Problem & { readonly code: Denial }) | null {
  const { host, origin } = request.headers
  const site = request.headers['sec-fetch-site']?.toString()
  const own = ownAuthorities(bound, request.raw.socket.localPort ?? bound.port)
  if (host === undefined || !own.includes(host.toLowerCase())) {
    return denied('host_not_ours', `The Host header is ${quoted(host)}; this API answers to ${own.join(', ')}.`)
  }
  if (origin !== undefined && !own.some((authority) => origin.toLowerCase() === `http://${authority}`)) {
    return denied('origin_not_ours', `The Origin header is ${quoted(origin)}; pages of other origins may not use this API.`)
  }
  if (site !== undefined && !ownFetchSites.includes(site)) {
    return denied('cross_site', `Sec-Fetch-Site is ${quoted(site)}; only pages of this API's own origin may use it.`)
  }
  return null
}

function denied(code: Denial, sentence: string): Problem & { readonly code: Denial } {
  return new Problem(code, sentence) as Problem & { readonly code: Denial }
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'missing' : JSON.stringify(value.slice(0, 200))
}
