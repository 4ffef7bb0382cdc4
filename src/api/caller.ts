import type { FastifyRequest } from 'fastify'
import type { Server } from 'node:http'
import type { Actor, Origin } from '../../events/values.ts'

/** Who is asking and from where, as far as it is known without authentication: the loopback address or the local socket. */

export interface Caller {
  readonly actor: Actor
  readonly origin: Origin
}

/** Unix sockets and TCP sockets whose peer is gone look alike, so the server that accepted them says which is which. */
const localSockets = new WeakSet<object>()

export function markLocal(server: Server): void {
  server.on('connection', (socket) => localSockets.add(socket))
}

export function isLocalSocket(request: FastifyRequest): boolean {
  return localSockets.has(request.raw.socket)
}

export function callerOf(request: FastifyRequest): Caller {
  return callerOn(request.raw.socket)
}

/** Also for what came in and never became a request. */
export function callerOn(socket: FastifyRequest['raw']['socket']): Caller {
  if (localSockets.has(socket)) {
    return {
      actor: { authn: 'none', id: 'socket', type: 'local' },
      origin: { ip: null, port: null, via: 'socket' },
    }
  }
  const { remoteAddress, remotePort } = socket
  return {
    actor: { authn: 'none', id: 'loopback', type: 'local' },
    origin: { ip: remoteAddress?.replace(/^::ffff:/, '') ?? null, port: remotePort || null, via: 'api' },
  }
}
