import { request, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http'
import { errnoOf, Fault, messageOf } from '../core/errors.ts'
import { printable } from '../core/printable.ts'

/** Talks to a running server: over the socket in its data folder, or by URL. */

export type Server = { readonly socketPath: string } | { readonly url: URL }

export interface ServerAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The parsed JSON; null where the answer has no body. */
  readonly body: unknown
}

/** The server said no. Its `code` is the API's, in docs/errors.md. */
export class ServerRefused extends Fault {
  override readonly name = 'ServerRefused'
  readonly status: number
  readonly problem: string
  /** The whole problem, as the server sent it. */
  readonly body: unknown

  constructor(status: number, problem: string, sentence: string, body: unknown = null) {
    // 400 and 422 say that the request itself is wrong, which is what the person typed.
    super('server_refused', status === 400 || status === 422 ? 'settings' : 'network', sentence)
    this.status = status
    this.problem = problem
    this.body = body
    this.body = body
  }
}

/** A problem document is a few hundred bytes; whatever is longer is not one. */
const problemBytesMax = 1_048_576
/** The configuration of a thousand pools of 256 backends, several times over. */
const answerBytesMax = 256 * 1_048_576
/** A server answers within twice its append timeout, which is seconds; this is for one that hangs. */
const silenceTimeoutMs = 120_000

/** `http://127.0.0.1:4000`, or without the scheme. */
export function serverAt(text: string): Server {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url === null || url.protocol !== 'http:') {
    throw new Fault('api_address_invalid', 'settings', `--api: "${text}" is not an address of the API; write http://127.0.0.1:4000`)
  }
  return { url }
}

/** One call with a JSON answer. Resolves null when nobody listens there; throws `ServerRefused` when the server says no. */
export async function call(
  server: Server,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<ServerAnswer | null> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const response = await exchange(server, { headers, method, path, timeout: silenceTimeoutMs }, text)
  if (response === null) return null
  const { statusCode: status = 0 } = response
  if (status < 200 || status > 299) throw await refusal(response)
  return { status, headers: response.headers, body: parsed(await bodyText(response, answerBytesMax)) }
}

/** For an answer that is read as it comes. As `call` otherwise. */
export async function get(server: Server, path: string): Promise<IncomingMessage | null> {
  const response = await exchange(server, { headers: {}, method: 'GET', path }, undefined)
  if (response === null || response.statusCode === 200) return response
  throw await refusal(response)
}

interface Exchange {
  readonly headers: Readonly<Record<string, string>>
  readonly method: string
  readonly path: string
  readonly timeout?: number
}

async function exchange(server: Server, options: Exchange, body: string | undefined): Promise<IncomingMessage | null> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = request({ ...options, ...addressOf(server, options.headers), agent: false }, resolve)
  sent.once('error', reject)
  sent.once('timeout', () => sent.destroy(new Error(`no byte came for ${silenceTimeoutMs / 1_000} s`)))
  sent.end(body)
  try {
    return await promise
  } catch (error) {
    if (['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error))) return null
    throw silent(error)
  }
}

function addressOf(server: Server, headers: Readonly<Record<string, string>>): RequestOptions {
  if ('url' in server) return { headers, host: server.url.hostname.replace(/^\[|\]$/g, ''), port: server.url.port || 80 }
  return { headers: { ...headers, host: 'localhost' }, socketPath: server.socketPath }
}

async function refusal(response: IncomingMessage): Promise<ServerRefused> {
  const status = response.statusCode ?? 0
  const text = await bodyText(response, problemBytesMax)
  let problem: { readonly action?: string; readonly code?: string; readonly detail?: string }
  try {
    problem = JSON.parse(text) as typeof problem
  } catch {
    return new ServerRefused(status, 'unknown', `the server answers ${status}: ${printable(text.slice(0, 500))}`, null)
  }
  const code = String(problem.code)
  const action = problem.action === undefined ? '' : `\n  ${printable(problem.action)}`
  return new ServerRefused(status, code, `${printable(String(problem.detail))} (${printable(code)})${action}`, problem)
}

async function bodyText(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > bytesMax) throw new Error(`its answer is longer than ${bytesMax} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw silent(error)
  }
  return Buffer.concat(chunks).toString()
}

function parsed(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch (error) {
    throw silent(error)
  }
}

function silent(cause: unknown): Fault {
  return new Fault('server_silent', 'network', `the server did not answer as this program expects: ${messageOf(cause)}`, { cause })
}
