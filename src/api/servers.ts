import type { Server } from 'node:http'
import type { Clock, Timer } from '../core/clock.ts'

/**
 * The HTTP servers around the API's routes, ended together. Node stops looking for slow requests when a server closes,
 * so without a limit here one client with half a request would keep the process for ever.
 */

/** How long requests may take that run when the API closes; streams have been told to end by then. */
export const closeGraceMs = 3_000

export class Servers {
  readonly #main: Server
  readonly #others = new Set<Server>()
  #closed: Promise<unknown> = Promise.resolve()
  #force: Timer | null = null

  /** `main` is fastify's own, which fastify closes. */
  constructor(main: Server) {
    this.#main = main
  }

  add(server: Server): void {
    this.#others.add(server)
  }

  /** Takes no new connections on the others; whatever is still open on any after the grace is cut off. */
  beginClose(clock: Clock): void {
    this.#force = clock.after(closeGraceMs, () => {
      for (const server of [this.#main, ...this.#others]) server.closeAllConnections()
    })
    this.#closed = Promise.all([...this.#others].map(closeServer))
  }

  /** Resolves when the others are closed; fastify's own is by then. */
  async endClose(): Promise<void> {
    await this.#closed
    this.#force?.[Symbol.dispose]()
  }
}

/** Resolves when the last connection is gone; at once when it is closed already. */
export function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeIdleConnections()
  return promise
}
