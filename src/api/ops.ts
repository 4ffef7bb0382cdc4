import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { formatEndpoint } from '../core/endpoint.ts'
import { errnoOf, Fault } from '../core/errors.ts'
import type { Endpoint } from '../core/network.ts'
import { everyAnswer } from './problem.ts'
import { closeServer } from './servers.ts'

/**
 * A second listener for probes from outside of the machine, where the API must not be: says whether the process is alive
 * and should get clients, and nothing else. It knows neither bodies nor routes nor callers, so there is little to attack.
 */

/** Probes are few and short; whoever holds more connections than this is no probe. */
const connectionsMax = 64
/** A probe sends its few bytes at once. */
const requestTimeoutMs = 5_000
const connectionsCheckingIntervalMs = 1_000
const headerBytesMax = 4_096

export interface OpsServer extends AsyncDisposable {
  /** `ip:port`, the port that was bound. */
  readonly address: string
}

/** `reasons`: codes of why this node should get no clients now. Throws a `Fault` that says what to do when it can't bind. */
export async function serveOps(wanted: Endpoint, reasons: () => readonly string[]): Promise<OpsServer> {
  const options = {
    connectionsCheckingInterval: connectionsCheckingIntervalMs, headersTimeout: requestTimeoutMs, maxHeaderSize: headerBytesMax,
    requestTimeout: requestTimeoutMs,
  }
  const server = createServer(options, (request, response) => answer(request, response, reasons))
  server.maxConnections = connectionsMax
  server.on('clientError', (_error, socket) => void socket.destroy())
  await bind(server, wanted)
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : wanted.port
  return {
    address: formatEndpoint({ ip: wanted.ip, port }),
    [Symbol.asyncDispose]: () => {
      // A probe that is cut off asks again; nobody waits for it.
      server.closeAllConnections()
      return closeServer(server)
    },
  }
}

async function bind(server: Server, wanted: Endpoint): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host: wanted.ip, port: wanted.port }, resolve)
  try {
    await promise
  } catch (error) {
    throw new Fault(
      'ops_not_bound',
      'network',
      `probes can't be answered on ${formatEndpoint(wanted)}: ${errnoOf(error)}. Stop what uses that address or choose another ` +
        'one (--ops).',
      { cause: error },
    )
  }
  server.off('error', reject)
}

function answer({ method, url = '' }: IncomingMessage, response: ServerResponse, reasons: () => readonly string[]): void {
  const path = url.split('?', 1)[0]
  if (path !== '/health/live' && path !== '/health/ready') send(response, 404, { status: 'not_found' })
  else if (method !== 'GET' && method !== 'HEAD') send(response, 405, { status: 'method_not_allowed' }, { allow: 'GET, HEAD' })
  else if (path === '/health/live') send(response, 200, { status: 'live' })
  else {
    const against = reasons()
    if (against.length === 0) send(response, 200, { status: 'ready' })
    else send(response, 503, { status: 'not_ready', reasons: against }, { 'retry-after': '1' })
  }
}

/** One answer a connection: whatever else the client sends is never read. */
function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    ...everyAnswer, ...headers, connection: 'close', 'content-length': Buffer.byteLength(text), 'content-type': 'application/json',
  })
  response.end(text)
}
