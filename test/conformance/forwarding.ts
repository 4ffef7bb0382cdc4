/** What reaches a backend when chunks arrive at the data path: the real SocketEngine and its links, on a network in memory. */
import { Stand } from '../support/link-stand.ts'

/** More than any kernel has: the backend takes everything at once. */
const roomBytes = 1e9

export interface Forwarded {
  /** Null: no backend was dialled, because the client never said a complete hello. */
  readonly bytes: Buffer | null
  /** Bytes that were on their way to the backend before the permit that stands for the record. Must be 0. */
  readonly early: number
}

/** Each chunk is read by the proxy before the next one is sent. */
export async function forwarded(chunks: Iterable<Uint8Array>): Promise<Forwarded> {
  const stand = await new Stand().start()
  for (const chunk of chunks) {
    if (stand.client.state !== 'open') break
    stand.client.peerSends(chunk)
    stand.client.deliver()
  }
  await stand.settle()
  const backend = stand.backend
  if (backend === undefined) return { bytes: null, early: 0 }
  const early = backend.bytesTaken
  stand.permit.resolve('go')
  backend.peerReads(roomBytes)
  await stand.settle()
  return { bytes: Buffer.from(backend.peerGot), early }
}
