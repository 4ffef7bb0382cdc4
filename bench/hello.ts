import { createServer } from 'node:net'
import { connect } from 'node:tls'

/** The server name that every proxy routes by. */
export const serverName = 'bench.example'
const recordHeaderBytes = 5

/** The ClientHello that this Node sends: one TLS record, caught once and sent by every connection of the raw measures. */
export async function captureHello(): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port to be had on 127.0.0.1')
  const client = connect({
    host: '127.0.0.1',
    port: address.port,
    servername: serverName,
    ALPNProtocols: ['h2', 'http/1.1'],
    rejectUnauthorized: false,
  })
  client.on('error', () => {})
  try {
    return await new Promise((resolve) => {
      server.once('connection', (socket) => {
        let bytes: Buffer = Buffer.alloc(0)
        socket.on('error', () => {})
        socket.on('data', (chunk: Buffer) => {
          bytes = Buffer.concat([bytes, chunk])
          if (bytes.length < recordHeaderBytes) return
          const whole = recordHeaderBytes + bytes.readUInt16BE(3)
          if (bytes.length < whole) return
          socket.destroy()
          resolve(bytes.subarray(0, whole))
        })
      })
    })
  } finally {
    client.destroy()
    server.close()
  }
}
