import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

export type MakeId = () => string

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** One call to the random source serves this many ids. */
const idsPerRefill = 64
const randomBytesPerId = 10
const counterMax = 0xfff

/**
 * Makes UUIDv7 (RFC 9562, section 5.7): unique, and increasing within this process. The 12 bits after the version
 * count within one millisecond (method 1 of section 6.2); when they run out, or the wall clock steps back, the
 * timestamp part runs ahead of the clock instead of repeating.
 */
export function idMaker(clock: Clock, random: Random): MakeId {
  const pool = new Uint8Array(idsPerRefill * randomBytesPerId)
  let used = pool.length
  let lastMs = 0
  let counter = 0

  return () => {
    if (used === pool.length) {
      random.fill(pool)
      used = 0
    }
    const at = used
    used += randomBytesPerId
    const nowMs = clock.now()
    if (nowMs > lastMs) {
      lastMs = nowMs
      counter = ((pool[at]! << 8) | pool[at + 1]!) & 0x7ff
    } else if (counter === counterMax) {
      lastMs += 1
      counter = 0
    } else {
      counter += 1
    }
    const high = Math.floor(lastMs / 0x1_0000)
    const low = lastMs & 0xffff
    const h = (byte: number): string => hex[byte & 0xff]!
    const r = (index: number): string => hex[pool[at + index]!]!
    return (
      `${h(high >>> 24)}${h(high >>> 16)}${h(high >>> 8)}${h(high)}-${h(low >>> 8)}${h(low)}` +
      `-${h(0x70 | (counter >>> 8))}${h(counter)}-${h(0x80 | (pool[at + 2]! & 0x3f))}${r(3)}` +
      `-${r(4)}${r(5)}${r(6)}${r(7)}${r(8)}${r(9)}`
    )
  }
}
