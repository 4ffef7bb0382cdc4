import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

/** Ports for brokers, and whether a broker is there: asked in its own protocol, since an open port says less. */

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux): a client that tries again and again
 * while its broker is away could otherwise be given the broker's own port, and the broker could not come back.
 */
const ports = { end: 32_768, start: 15_000 }
const answerTimeoutMs = 1_000
const apiMetadata = 3

/** Nobody has it at this moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(ports.start, ports.end)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Whether the broker behind this port answers and counts the one of that number among those that serve. */
export function isServing(port: number, id: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let answer: Buffer = Buffer.alloc(0)
    const end = (serving: boolean): void => {
      socket.destroy()
      resolve(serving)
    }
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.setTimeout(answerTimeoutMs, () => end(false))
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) end(brokersIn(answer).includes(id))
    })
    socket.write(metadataRequest())
  })
}

/** Version 1, of no topic. */
function metadataRequest(): Buffer {
  const request = Buffer.alloc(18)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(apiMetadata, 4)
  request.writeInt16BE(1, 6)
  // The number of the request stays 0; the client has no name.
  request.writeInt16BE(-1, 12)
  return request
}

/** Length, number of the request, then each broker: number, host, port, rack. */
function brokersIn(answer: Buffer): number[] {
  const ids: number[] = []
  let at = 12
  for (let left = answer.readInt32BE(8); left > 0; left -= 1) {
    ids.push(answer.readInt32BE(at))
    at += 4 + 2 + answer.readInt16BE(at + 4) + 4
    at += 2 + Math.max(0, answer.readInt16BE(at))
  }
  return ids
}
