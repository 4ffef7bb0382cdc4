import { request, type IncomingMessage, type RequestOptions } from 'node:http'
import { errnoOf, Fault, messageOf } from '../core/errors.ts'
import { printable } from './printable.ts'

/** Talks to a running server: over the socket in its data folder, or by URL. */

export type Server = { readonly socketPath: string } | { readonly url: URL }

/** A problem document is a few hundred bytes; whatever is longer is not one. */
const problemBytesMax = 65_536

/** `http://127.0.0.1:4000`, or without the scheme. */
export function serverAt(text: string): Server {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url === null || url.protocol !== 'http:') {
    throw new Fault('api_address_invalid', 'settings', `--api: "${text}" is not an address of the API; write http://127.0.0.1:4000`)
  }
  return { url }
}

/** Resolves null when nobody listens there; throws a `Fault` when the server says no. */
export async function get(server: Server, path: string): Promise<IncomingMessage | null> {
  const options: RequestOptions =
    'url' in server
      ? { host: server.url.hostname.replace(/^\[|\]$/g, ''), port: server.url.port || 80, path }
      : { socketPath: server.socketPath, path, headers: { host: 'localhost' } }
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request({ ...options, agent: false }, resolve).once('error', reject).end()
  let response: IncomingMessage
  try {
    response = await promise
  } catch (error) {
    if (['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error))) return null
    throw new Fault('server_silent', 'network', `the server did not answer: ${messageOf(error)}`, { cause: error })
  }
  if (response.statusCode === 200) return response
  throw new Fault('server_refused', 'network', `the server says ${response.statusCode}: ${printable(await problemText(response))}`)
}

async function problemText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > problemBytesMax) break
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown }
    return `${String(detail)} (${String(code)})`
  } catch {
    return text.slice(0, 500)
  }
}
