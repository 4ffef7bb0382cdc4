import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'

/** Clients of a node: one that counts the bytes below its TLS, as they leave and reach its own socket, and one that is refused. */

export interface Counted {
  readonly sent: number
  readonly received: number
}

/** Sends what is given, waits for an answer of that size, and ends in order on both sides. */
export async function exchange(port: number, text: string, answerLength: number, servername = 'app.example.test'): Promise<Counted> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let [sent, received] = [0, 0]
  const below = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      sent += chunk.length
      socket.write(chunk, done)
    },
    final: (done) => {
      socket.end(done)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    below.push(chunk)
  })
  socket.on('end', () => below.push(null))
  socket.on('error', (error) => below.destroy(error))
  const closed = once(socket, 'close')
  const client = connectTls({ rejectUnauthorized: false, servername, socket: below })
  await once(client, 'secureConnect')
  const ended = once(client, 'end')
  let answered = 0
  const answer = Promise.withResolvers<void>()
  client.on('data', (chunk: Buffer) => {
    answered += chunk.length
    if (answered >= answerLength) answer.resolve()
  })
  client.write(text)
  await answer.promise
  client.end()
  await ended
  await closed
  return { received, sent }
}

/** A client that speaks no TLS: refused, and on record. */
export async function refusedClient(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}).resume()
  const closed = once(socket, 'close')
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await closed
}
