import { createServer, type Server } from 'node:http'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { markLocal } from './caller.ts'
import type { Api } from './context.ts'
import { connectionsMax, serverOptions } from './http-limits.ts'
import { closeServer } from './servers.ts'

/**
 * Serves the API on a Unix socket in the data folder, for command lines on the same machine: whoever may open the file
 * may use it. fastify listens once, so this is a second server around the same routes.
 */

/** Name of the socket in the data folder. */
export const socketName = 'api.sock'
/** `sun_path` of unix(7) holds 108 bytes with the zero at the end. */
export const socketPathBytesMax = 107
const onlyOwner = 0o177

/**
 * The caller holds the lock of the folder, so a socket file that is there already is a dead one's. Closing the app ends
 * this too; disposing it alone waits for the requests that run, streams included.
 */
export async function serveOnSocket(
  app: Api,
  path: string,
  { disk }: { readonly disk: Pick<Disk, 'remove'> },
): Promise<AsyncDisposable> {
  const bytes = Buffer.byteLength(path)
  if (bytes > socketPathBytesMax) {
    throw new Fault(
      'socket_path_too_long',
      'settings',
      `${path} has ${bytes} bytes, and the path of a Unix socket at most ${socketPathBytesMax}: choose a data folder with a ` +
        'shorter path (--data), or start the node inside of it and use a relative one.',
    )
  }
  await disk.remove(path)
  const server = createServer(serverOptions.http, (request, response) => app.routing(request, response))
  server.maxConnections = connectionsMax
  server.on('clientError', app.answerMalformed)
  markLocal(server)
  app.servers.add(server)
  await listenPrivately(server, path)
  return { [Symbol.asyncDispose]: () => closeServer(server) }
}

async function listenPrivately(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  // The file is made within this call, so its mode is never wider than 0600, not even for a moment.
  const before = process.umask(onlyOwner)
  try {
    server.listen(path, resolve)
  } finally {
    process.umask(before)
  }
  await promise
  server.off('error', reject)
}
