import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { formatEndpoint } from '../core/endpoint.ts'
import { errnoOf, Fault } from '../core/errors.ts'
import type { Endpoint } from '../core/network.ts'
import { ExpositionSlots } from './exposition-slots.ts'
import type { Expose } from './metrics.ts'
import { everyAnswer } from './problem.ts'
import { closeServer } from './servers.ts'

/**
 * A second listener for probes and scrapers from outside of the machine, where the API must not be: says whether the process
 * is alive and should get clients, shows its counts, and nothing else. It knows neither bodies nor routes nor callers, so
 * there is little to attack.
 */

/** Probes and scrapers are few and short; whoever holds more connections than this is neither. */
const connectionsMax = 64
/** A probe sends its few bytes at once. */
const requestTimeoutMs = 5_000
const connectionsCheckingIntervalMs = 1_000
const headerBytesMax = 4_096
export interface OpsServer extends AsyncDisposable {
  /** `ip:port`, the port that was bound. */
  readonly address: string
}

/** What is told here. */
export interface OpsView {
  readonly metrics: Expose
  /** Codes of why this node should get no clients now. */
  reasons(): readonly string[]
}

/** Throws a `Fault` that says what to do when it can't bind. */
export async function serveOps(wanted: Endpoint, view: OpsView, clock: Clock): Promise<OpsServer> {
  const options = {
    connectionsCheckingInterval: connectionsCheckingIntervalMs, headersTimeout: requestTimeoutMs, maxHeaderSize: headerBytesMax,
    requestTimeout: requestTimeoutMs,
  }
  const slots = new ExpositionSlots(clock)
  const server = createServer(options, (request, response) => void answer(request, response, view, slots))
  // Who reads nothing any more is gone.
  server.timeout = requestTimeoutMs
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

async function answer(
  { headers, method, url = '' }: IncomingMessage, response: ServerResponse, view: OpsView, slots: ExpositionSlots,
): Promise<void> {
  const path = url.split('?', 1)[0]
  if (path !== '/health/live' && path !== '/health/ready' && path !== '/metrics') sendJson(response, 404, { status: 'not_found' })
  else if (method !== 'GET' && method !== 'HEAD') sendJson(response, 405, { status: 'method_not_allowed' }, { allow: 'GET, HEAD' })
  else if (path === '/health/live') sendJson(response, 200, { status: 'live' })
  else if (path === '/metrics') await expose(response, headers.accept, view.metrics, slots)
  else {
    const against = view.reasons()
    if (against.length === 0) sendJson(response, 200, { status: 'ready' })
    else sendJson(response, 503, { status: 'not_ready', reasons: against }, { 'retry-after': '1' })
  }
}

async function expose(response: ServerResponse, accept: string | undefined, metrics: Expose, slots: ExpositionSlots): Promise<void> {
  if (!slots.take(response)) return sendJson(response, 503, { status: 'busy' }, { 'retry-after': '1' })
  const exposition = await metrics(accept)
  if (exposition === null) sendJson(response, 503, { status: 'failed' }, { 'retry-after': '1' })
  else send(response, 200, exposition.body, { 'content-type': exposition.contentType })
}

function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  send(response, status, JSON.stringify(body), { ...headers, 'content-type': 'application/json' })
}

/** One answer a connection: whatever else the client sends is never read. */
function send(response: ServerResponse, status: number, body: Uint8Array | string, headers: Record<string, string>): void {
  response.writeHead(status, { ...everyAnswer, ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
