import { randomFillSync } from 'node:crypto'
import type { Random } from '../random.ts'

/** The operating system's generator for bytes; `float` is for choices that need no secrecy (jitter, balancing). */
export const systemRandom: Random = {
  fill: (into) => {
    randomFillSync(into)
  },
  float: () => Math.random(),
}
