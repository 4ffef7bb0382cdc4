import { connect } from 'node:tls'
import { answer } from './answers.ts'

/** Full TLS handshakes one after the other, taking the targets in turn, each timed from connect to secureConnect. */

export interface Handshakes {
  /** Milliseconds, by the index of the port. */
  readonly times: readonly (readonly number[])[]
}

answer({
  handshakes: async (parameters: { ports: readonly number[]; count: number; serverName: string }): Promise<Handshakes> => {
    const { ports, count, serverName } = parameters
    const times: number[][] = ports.map(() => [])
    for (let turn = 0; turn < count; turn += 1) {
      for (let step = 0; step < ports.length; step += 1) {
        const index = (turn + step) % ports.length
        times[index]!.push(await handshake(ports[index]!, serverName))
      }
    }
    return { times }
  },
})

function handshake(port: number, serverName: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    let took = Number.NaN
    const socket = connect({ host: '127.0.0.1', port, servername: serverName, rejectUnauthorized: false })
    socket.once('secureConnect', () => {
      took = performance.now() - startedAt
      socket.end()
    })
    socket.once('error', reject)
    socket.once('close', () => (Number.isNaN(took) ? reject(new Error('closed before the handshake ended')) : resolve(took)))
    socket.resume()
  })
}
