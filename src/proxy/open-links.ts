import {
  ConnectionClosed, ConnectionProgress, type ConnectionClosedData, type ConnectionOpenedData, type ConnectionProgressData,
} from '../../events/connection.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { Drafts } from '../log/drafts.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Notes } from '../log/notes.ts'
import type { BackendState } from './backends.ts'
import type { Link } from './engine.ts'
import { encryptedNow, recordedTls } from './tls-record.ts'

/**
 * Connections that are on record as open in this process. Each owes exactly one closing record, whatever happens to the
 * log meanwhile, and gets a progress record now and then so that a crash loses little of what is known.
 */

export interface OpenLink {
  readonly opened: ConnectionOpenedData
  /** RFC 3339, of its opened record. */
  readonly openedAt: string
  readonly link: Link
  readonly backend: BackendState
  lastRecordedMs: number
}

/** How often long connections are looked for. */
const progressSweepMs = 5_000

export class OpenLinks implements Disposable {
  readonly #clock: Clock
  readonly #log: EventLog
  readonly #notes: Notes
  readonly #drafts: Drafts
  readonly #progressIntervalMs: number
  readonly #timer: Timer
  /** In the order of opening, so those due first come first as long as intervals are equal. */
  readonly #open = new Map<string, OpenLink>()
  #owed = 0
  #lost = 0

  constructor(clock: Clock, log: EventLog, notes: Notes, drafts: Drafts, progressIntervalMs: number) {
    this.#clock = clock
    this.#log = log
    this.#notes = notes
    this.#drafts = drafts
    this.#progressIntervalMs = progressIntervalMs
    this.#timer = clock.every(Math.min(progressSweepMs, progressIntervalMs), () => this.#recordProgress())
  }

  get size(): number {
    return this.#open.size
  }

  /** Closing records that are not durable yet. */
  get owed(): number {
    return this.#owed
  }

  add(opened: ConnectionOpenedData, openedAt: string, link: Link, backend: BackendState): OpenLink {
    const open: OpenLink = { opened, openedAt, link, backend, lastRecordedMs: this.#clock.monotonicMs() }
    this.#open.set(opened.connection_id, open)
    backend.open.add(link)
    return open
  }

  find(connectionId: string): OpenLink | undefined {
    return this.#open.get(connectionId)
  }

  /** In the order of opening. */
  all(): Iterable<OpenLink> {
    return this.#open.values()
  }

  /** The connection is over: hands its closing record to the log, which keeps it until it is written. */
  close(open: OpenLink, closed: ConnectionClosedData): void {
    const { connection_id } = open.opened
    const draft = this.#drafts.make(ConnectionClosed, `connections/${connection_id}`, closed)
    this.#owed += 1
    this.#log
      .append('connections', [draft], { purpose: 'owed' })
      .catch(() => {
        // The log was closed: the next start finds the connection open and closes it on record.
        this.#lost += 1
      })
      .finally(() => (this.#owed -= 1))
    this.#open.delete(connection_id)
    open.backend.open.delete(open.link)
    this.#notes.forget(progressKey(connection_id))
  }

  /** Closing records that the log gave up on. */
  get lost(): number {
    return this.#lost
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
  }

  #recordProgress(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const open of this.#open.values()) {
      if (nowMs - open.lastRecordedMs < this.#progressIntervalMs) continue
      open.lastRecordedMs = nowMs
      const draft = this.#drafts.make(ConnectionProgress, `connections/${open.opened.connection_id}`, progressData(open))
      this.#notes.write('connections', progressKey(open.opened.connection_id), draft)
    }
  }
}

/** The progress record's data, keys in code-unit order. */
function progressData({ link, opened }: OpenLink): ConnectionProgressData {
  return {
    alpn: opened.alpn,
    alpn_truncated: opened.alpn_truncated,
    attempts: opened.attempts,
    backend: opened.backend,
    backend_address: opened.backend_address,
    bytes_to_backend: link.bytesToBackend,
    bytes_to_client: link.bytesToClient,
    client: opened.client,
    connection_id: opened.connection_id,
    ech_offered: opened.ech_offered,
    encrypted: encryptedNow(opened.encrypted, link.tls),
    ja4: opened.ja4,
    listener: opened.listener,
    local_address: opened.local_address,
    pool: opened.pool,
    revision: opened.revision,
    routed_by: opened.routed_by,
    server_name: opened.server_name,
    tls: recordedTls(link.tls),
    tls_versions: opened.tls_versions,
    tls_versions_truncated: opened.tls_versions_truncated,
  }
}

function progressKey(connectionId: string): string {
  return `progress ${connectionId}`
}
