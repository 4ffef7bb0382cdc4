/** Sends one case to one proxy as a client would, and finds out where it ended up. */
import { once } from 'node:events'
import net from 'node:net'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { answerMark } from './backends.ts'
import type { Case } from './cases.ts'
import { refused, type Place } from './hellos.ts'

/** Neither answered nor ended: nobody knows where it went. */
export const silent: Place = 'silent'

/** Longer than any proxy waits for a hello. */
const answerTimeoutMs = 15_000
/** Now and then the receiver gets time to look at what it has so far. */
const pauseEveryBytes = 64
const pauseMs = 1

/** `localAddress`: an address of 127.0.0.0/8 that only this case has, so that its record can be told from all others. */
export async function placeReached(port: number, localAddress: string, { wire, segments, ends }: Case): Promise<Place> {
  const socket = net.connect({ host: '127.0.0.1', port, localAddress, noDelay: true, allowHalfOpen: true })
  try {
    const answer = answerOf(socket)
    await once(socket, 'connect')
    await Promise.race([answer, send(socket, wire, segments)])
    if (ends) socket.end()
    return await answer
  } finally {
    socket.destroy()
  }
}

async function answerOf(socket: net.Socket): Promise<Place> {
  const { promise, resolve } = Promise.withResolvers<Place>()
  let said = ''
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
    const place = new RegExp(`${answerMark}(.+)\n`).exec(said)?.[1]
    if (place !== undefined) resolve(place)
  })
  // A reset, an alert and a plain end are all a refusal.
  socket.on('error', () => resolve(refused))
  socket.on('end', () => resolve(refused))
  socket.setTimeout(answerTimeoutMs, () => resolve(silent))
  return promise
}

async function send(socket: net.Socket, wire: Buffer, segments: Case['segments']): Promise<void> {
  if (segments === 'whole') return void socket.write(wire)
  if (segments === 'halves') {
    const middle = wire.length >> 1
    socket.write(wire.subarray(0, middle))
    await delay(pauseMs)
    return void socket.write(wire.subarray(middle))
  }
  for (let at = 0; at < wire.length && socket.writable; at += 1) {
    socket.write(wire.subarray(at, at + 1))
    await (at % pauseEveryBytes === 0 ? delay(pauseMs) : turn())
  }
}
