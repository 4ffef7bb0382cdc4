import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Passes bytes on, so that a test can cut connections, or meet a server at another address than its own. */

export interface Relay extends Disposable {
  readonly address: string
  /** Ends all connections. */
  cut(): void
}

export async function relayTo(target: string, ip = '127.0.0.1'): Promise<Relay> {
  const [host, port] = target.split(':') as [string, string]
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    for (const [one, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, ip, resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `${ip}:${(server.address() as AddressInfo).port}`,
    cut,
    [Symbol.dispose]: () => {
      cut()
      server.close()
    },
  }
}
