import { plainHello, tcpBackend, tcpClient, type Peer, type Tap } from '../../support/peers.ts'
import { allRoute, type TestNode } from './cluster.ts'

/** Clients of nodes that share the pool `app`, one at a time. */

/** Gives back what it gets. */
export function echoingBackend(): Promise<Peer> {
  return tcpBackend((socket) => {
    socket.on('data', (bytes: Buffer) => socket.write(bytes))
    socket.on('end', () => socket.end())
  })
}

/** Makes the pool through the first node and waits until all of them route by it. */
export async function routeAll(backend: Peer, nodes: readonly TestNode[]): Promise<void> {
  const { status } = await nodes[0]!.call('POST', '/api/pools', { backends: [{ url: `https://127.0.0.1:${backend.port}` }], name: 'app' })
  if (status !== 201) throw new Error(`the pool was answered with ${status}`)
  await allRoute(nodes)
}

/** A connection through the node that got its first byte; null: it was closed without one. */
export async function connectThrough(node: TestNode): Promise<Tap | null> {
  const tap = await tcpClient(node.port)
  tap.socket.write(plainHello())
  await tap.until(({ closed, length }) => closed || length > 0)
  if (tap.length > 0) return tap
  tap.socket.destroy()
  return null
}

/** Whether a new client gets a byte; it does not stay. */
export async function letsIn(node: TestNode): Promise<boolean> {
  const tap = await connectThrough(node)
  tap?.socket.destroy()
  return tap !== null
}

/** Whether bytes still go both ways. */
export async function stillCarries(tap: Tap): Promise<boolean> {
  const before = tap.length
  tap.socket.write('more')
  await tap.until(({ closed, length }) => closed || length >= before + 'more'.length)
  return !tap.closed
}
