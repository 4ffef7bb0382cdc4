import { SingleBar } from 'cli-progress'
import type { Writable } from 'node:stream'
import type { Clock } from '../core/clock.ts'

/**
 * How far a long read is, on standard error of a terminal and nowhere else. Nothing is drawn in the first moments: most
 * reads are over by then.
 */

const quietMs = 500
const redrawsPerSecond = 10

export interface Progress extends Disposable {
  /** How many more there are than before. */
  add(count: number): void
}

interface ProgressPorts {
  readonly clock: Clock
  readonly stderr: Writable
}

/** `total` null: nobody knows beforehand. `unit` as in "12345 records". `hidden`: what is printed shows it well enough. */
export function progressOf({ clock, stderr }: ProgressPorts, unit: string, total: number | null, hidden = false): Progress {
  if (hidden || !isTerminal(stderr)) return { add: () => {}, [Symbol.dispose]: () => {} }
  let done = 0
  let bar: SingleBar | null = null
  const known = total !== null && total > 0
  const timer = clock.after(quietMs, () => {
    bar = new SingleBar({
      clearOnComplete: true,
      format: known ? `{bar} {value}/{total} ${unit}` : `{value} ${unit} so far`,
      fps: redrawsPerSecond,
      hideCursor: true,
      noTTYOutput: false,
      stream: stderr,
    })
    bar.start(total ?? 0, done)
  })
  return {
    add: (count) => {
      done += count
      bar?.update(done)
    },
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]()
      bar?.stop()
    },
  }
}

export function isTerminal(stream: Writable): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}
