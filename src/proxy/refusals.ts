import { ConnectionRefused, type ConnectionRefusedData, type RefusalReason } from '../../events/connection.ts'
import type { Draft } from '../../events/envelope.ts'
import { connectionRefused } from '../core/channels.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { refusalKeysPerSecond, refusalsRecordedPerSecond } from '../core/limits.ts'
import type { Endpoint } from '../core/network.ts'
import type { Drafts } from '../log/drafts.ts'
import { NotWritten, type EventLog } from '../log/event-log.ts'
import type { Attempt } from './dial.ts'

/**
 * Why clients got in no further: one record each up to a rate; above it, and while the log is down, counts by reason
 * and client network, written once a second. Counts stay exact and an attacker can't fill the disk.
 */

export interface Refusal {
  readonly reason: RefusalReason
  readonly client: Endpoint | null
  readonly listener: string
  readonly afterMs: number | null
  /** What the client was told; null: nothing. */
  readonly alert: number | null
  readonly attempts: readonly Attempt[]
  readonly detail: string | null
  readonly ja4: string | null
  readonly pool: string | null
  readonly serverName: string | null
}

const countingMs = 1_000
const recordsPerAppendMax = 256

interface Counted {
  readonly reason: RefusalReason | 'other'
  readonly network: string | null
  readonly listener: string
  count: number
}

export class Refusals implements AsyncDisposable {
  readonly #log: EventLog
  readonly #drafts: Drafts
  readonly #timer: Timer
  readonly #recordedThisSecond = new Map<string, number>()
  readonly #keysByListener = new Map<string, number>()
  #counted = new Map<string, Counted>()
  #writing: Promise<void> = Promise.resolve()
  #pending = 0
  #countsOnTheirWay = 0
  #total = 0

  constructor(clock: Clock, log: EventLog, drafts: Drafts) {
    this.#log = log
    this.#drafts = drafts
    this.#timer = clock.every(countingMs, () => this.#newSecond())
  }

  /** Clients refused in this process life. */
  get total(): number {
    return this.#total
  }

  record(refusal: Refusal): void {
    this.#total += 1
    const recorded = this.#recordedThisSecond.get(refusal.listener) ?? 0
    if (recorded >= refusalsRecordedPerSecond || !this.#log.availability('connections').available) {
      if (connectionRefused.isHeard) tellOf(refusal, null)
      this.#count(refusal.reason, refusal.client, refusal.listener, 1)
      return
    }
    this.#recordedThisSecond.set(refusal.listener, recorded + 1)
    this.#pending += 1
    const data = singleData(refusal)
    const draft = this.#draft(refusal.listener, data)
    if (connectionRefused.isHeard) tellOf(refusal, { id: draft.id, refused: data })
    this.#log
      .append('connections', [draft], { purpose: 'admission' })
      .catch((error: unknown) => {
        if (error instanceof NotWritten) this.#count(refusal.reason, refusal.client, refusal.listener, 1)
      })
      .finally(() => (this.#pending -= 1))
  }

  /** Writes what is counted so far. Rejects never; what can't be written stays counted. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeCounts())
    return this.#writing
  }

  /** True when nothing waits to be written or for the log's answer. */
  get settled(): boolean {
    return this.#pending === 0 && this.#countsOnTheirWay === 0 && this.#counted.size === 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]()
    await this.flush()
  }

  #newSecond(): void {
    this.#recordedThisSecond.clear()
    const waits = this.#counted.size > 0 && this.#countsOnTheirWay === 0
    if (waits && this.#log.availability('connections').available) void this.flush()
  }

  #count(reason: RefusalReason | 'other', client: Endpoint | null, listener: string, count: number): void {
    this.#countIn(reason, client === null ? null : clientNetwork(client.ip), listener, count)
  }

  #countIn(reason: RefusalReason | 'other', network: string | null, listener: string, count: number): void {
    const key = `${listener} ${reason} ${network}`
    const known = this.#counted.get(key)
    if (known !== undefined) {
      known.count += count
      return
    }
    const keys = this.#keysByListener.get(listener) ?? 0
    if (keys >= refusalKeysPerSecond && reason !== 'other') {
      this.#countIn('other', null, listener, count)
      return
    }
    this.#keysByListener.set(listener, keys + 1)
    this.#counted.set(key, { reason, network, listener, count })
  }

  async #writeCounts(): Promise<void> {
    const taken = [...this.#counted.values()]
    this.#counted = new Map()
    this.#keysByListener.clear()
    this.#countsOnTheirWay = taken.length
    for (let from = 0; from < taken.length; from += recordsPerAppendMax) {
      const part = taken.slice(from, from + recordsPerAppendMax)
      await this.#writePart(part)
      this.#countsOnTheirWay -= part.length
    }
  }

  async #writePart(part: readonly Counted[]): Promise<void> {
    const [first, ...others] = part.map((counted) => this.#counts(counted))
    try {
      await this.#log.append('connections', [first!, ...others], { purpose: 'admission' })
    } catch (error) {
      // Unsettled ones will appear by themselves.
      if (!(error instanceof NotWritten)) return
      for (const { reason, network, listener, count } of part) this.#countIn(reason, network, listener, count)
    }
  }

  #counts(counted: Counted): Draft {
    return this.#draft(counted.listener, {
      after_ms: null,
      alert: null,
      attempts: [],
      because: counted.reason,
      client: null,
      client_network: counted.network,
      count: counted.count,
      detail: null,
      ja4: null,
      listener: counted.listener,
      pool: null,
      server_name: null,
    })
  }

  #draft(listener: string, data: ConnectionRefusedData): Draft {
    return this.#drafts.make(ConnectionRefused, `listeners/${listener}`, data)
  }
}

function singleData(refusal: Refusal): ConnectionRefusedData {
  return {
    after_ms: refusal.afterMs,
    alert: refusal.alert,
    attempts: [...refusal.attempts],
    because: refusal.reason,
    client: refusal.client,
    client_network: null,
    count: 1,
    detail: refusal.detail,
    ja4: refusal.ja4,
    listener: refusal.listener,
    pool: refusal.pool,
    server_name: refusal.serverName,
  }
}

type OwnRecord = { readonly id: string; readonly refused: ConnectionRefusedData }

function tellOf({ afterMs, attempts, listener, pool, reason }: Refusal, record: OwnRecord | null): void {
  connectionRefused.tell({ afterMs, attempts: attempts.length, because: reason, listener, pool, record })
}

/**
 * `203.0.113.0/24`, `2001:db8:7::/48`: enough to see where a flood comes from, few enough to count. One spelling for
 * each network (RFC 5952).
 */
export function clientNetwork(ip: string): string {
  if (!ip.includes(':')) return `${ip.slice(0, ip.lastIndexOf('.'))}.0/24`
  const [head = '', tail] = ip.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (groups.length + after.length < 8) groups.push('0')
    groups.push(...after)
  }
  groups.length = 3
  while (groups.at(-1) === '0') groups.pop()
  return `${groups.join(':')}::/48`
}
