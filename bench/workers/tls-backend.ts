import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { answer } from './answers.ts'

/** A real TLS server for the handshake measure; closes when its client does. */

answer({
  listen: (parameters: { key: string; certificate: string }) => {
    const server = createServer({ key: readFileSync(parameters.key), cert: readFileSync(parameters.certificate) })
    server.on('secureConnection', (socket) => {
      socket.on('error', () => {})
      socket.resume()
    })
    server.on('tlsClientError', () => {})
    return new Promise<number>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', () => {
        const address = server.address()
        if (address !== null && typeof address === 'object') resolve(address.port)
      })
    })
  },
})
