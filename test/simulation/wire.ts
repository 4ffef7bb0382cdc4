import type { Schedule } from './schedule.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What a simulated socket has to do with: the world that it is in, the peer at the other end, and the trace that it leaves. */

/** Who sits at the other end. Told of what has arrived and been read there. */
export interface Peer {
  /** How much it reads at once, and how long it then rests; null: it reads no more for now. */
  pace(): { readonly bytes: number; readonly restMs: number } | null
  onBytes(bytes: Uint8Array): void
  onFin(): void
  onReset(): void
}

/** What went over the wire, as the kernel of the node's machine saw it. */
export interface WireTrace {
  /** Handed to the node. */
  readonly read: Uint8Array[]
  readBytes: number
  /** Taken from the node: they are on their way, whatever becomes of the node. */
  readonly taken: Uint8Array[]
  takenBytes: number
  lastTakenMs: number
}

export interface SocketWorld {
  readonly schedule: Schedule
  readonly random: SeededRandom
  /** From one end to the other, at most. */
  readonly latencyMs: number
  /** What one kernel holds for a peer that does not read. */
  readonly windowBytes: number
}
