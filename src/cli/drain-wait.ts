import { readRecord } from '../../events/catalog.ts'
import { sleep } from '../core/clock.ts'
import { Fault } from '../core/errors.ts'
import { ServerRefused } from './api-client.ts'
import type { ShownBackend } from './backend-table.ts'
import { durationText } from './duration.ts'
import { isTerminal } from './progress.ts'
import { recordsOfServer } from './server-records.ts'
import { callServer, encoded, say, type TargetOptions, type VerbPorts } from './verb.ts'

/** `backends drain --wait`: ends when the last connection of the backend on this node is over. */

interface Drain {
  readonly pool: string
  readonly backend: string
  readonly timeoutMs: number
}

const lookAgainMs = 500

/** Throws a `Fault` when it takes too long, or when the drain is called off meanwhile. */
export async function waitUntilDrained(ports: VerbPorts, options: TargetOptions, drain: Drain): Promise<void> {
  const { clock } = ports
  const until = clock.monotonicMs() + drain.timeoutMs
  using progress = openProgress(ports, drain.backend)
  for (;;) {
    const { current_connections: open = 0, draining_since: since } = await backendNow(options, drain)
    if (since === null) throw new Fault('drain_called_off', 'network', `${drain.backend} was resumed while its last connections were waited for`)
    if (open === 0 && (await isCompleted(options, drain, since))) break
    if (clock.monotonicMs() >= until) {
      const rest = open === 1 ? '1 connection is' : `${open} connections are`
      const message = `${rest} still open on ${drain.backend} after ${durationText(drain.timeoutMs)}, and may go on; wait longer (--timeout), or end them (--force)`
      throw new Fault('drain_not_completed', 'network', message)
    }
    progress.show(open)
    await sleep(clock, Math.max(1, Math.min(lookAgainMs, until - clock.monotonicMs())))
  }
  progress.clear()
  say(ports, `No connection is open on ${drain.backend} any more.`)
}

async function backendNow(options: TargetOptions, { backend, pool }: Drain): Promise<ShownBackend> {
  try {
    const path = `/api/pools/${encoded(pool)}/backends/${encoded(backend)}`
    return (await callServer(options, 'wait for a drain', 'GET', path)).body as ShownBackend
  } catch (error) {
    if (!(error instanceof ServerRefused) || error.status !== 404) throw error
    throw new Fault('drain_called_off', 'network', `${backend} was removed while its last connections were waited for`, { cause: error })
  }
}

/**
 * Nothing open is not the end yet: a client may be about to be connected. The node says on record when it is, or that it
 * was started since, and then nobody was ever connected.
 */
async function isCompleted(options: TargetOptions, { backend, pool }: Drain, since: string): Promise<boolean> {
  const operations = { stream: 'operations', from: since }
  return (
    (await isOnRecord(options, { ...operations, type: 'health.drain_completed', pool, backend })) ||
    (await isOnRecord(options, { ...operations, type: 'node.started' }))
  )
}

async function isOnRecord(options: TargetOptions, query: Readonly<Record<string, string>>): Promise<boolean> {
  for await (const line of recordsOfServer(options, query)) if (readRecord(line.toString()).kind === 'event') return true
  return false
}

interface OpenProgress extends Disposable {
  show(open: number): void
  clear(): void
}

/** On a terminal one line that is written over; otherwise a line whenever the number is another one. */
function openProgress(ports: VerbPorts, backend: string): OpenProgress {
  const overwrites = isTerminal(ports.stderr)
  let shown: number | null = null
  const clear = (): void => {
    if (overwrites && shown !== null) ports.stderr.write('\r\x1b[K')
    shown = null
  }
  return {
    show: (open) => {
      if (open === shown) return
      const sentence = `${open} open on ${backend} ...`
      if (overwrites) ports.stderr.write(`\r\x1b[K${sentence}`)
      else say(ports, sentence)
      shown = open
    },
    clear,
    [Symbol.dispose]: clear,
  }
}
