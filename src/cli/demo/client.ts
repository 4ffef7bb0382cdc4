import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { TLSSocket } from 'node:tls'

/** A client of the demonstration: one HTTPS request on a connection of its own, through the proxy. */

export interface DemoAnswer {
  readonly text: string
  /** Negotiated between this client and the backend; the proxy has no part in it. */
  readonly protocol: string
}

/** Trusts the certificates of the backends and nothing else. */
export async function requestThrough(port: number, serverName: string, trusted: readonly string[]): Promise<DemoAnswer> {
  const agent = new Agent({ keepAlive: false })
  const sent = request({ agent, ca: [...trusted], host: '127.0.0.1', path: '/', port, servername: serverName })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const protocol = (response.socket as TLSSocket).getProtocol() ?? 'unknown'
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return { protocol, text: Buffer.concat(chunks).toString().trim() }
}
