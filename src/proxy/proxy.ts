import type { RefusalReason } from '../../events/connection.ts'
import type { Actor } from '../../events/values.ts'
import type { Recorded } from '../../projections/projection.ts'
import type { Routing } from '../../projections/routing.ts'
import { rfc3339, sleep, type Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Endpoint, Network } from '../core/network.ts'
import type { Random } from '../core/random.ts'
import type { Live } from '../live/live.ts'
import type { BackendHealthNow, ListenerNow, NotReady, OpenConnectionNow, OpenCount, OpenOnBackend } from '../live/node-view.ts'
import type { Drafts } from '../log/drafts.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Notes } from '../log/notes.ts'
import { Addresses } from './addresses.ts'
import { Backends, type BackendState } from './backends.ts'
import { Drains } from './drains.ts'
import type { Engine, Entrance, Link } from './engine.ts'
import { HealthBook } from './health-book.ts'
import { HealthChecks } from './health-checks.ts'
import { Listeners } from './listeners.ts'
import { OpenLinks, type OpenLink } from './open-links.ts'
import { Refusals } from './refusals.ts'
import { serve, type Entry, type Stages } from './serve.ts'
import { encryptedNow, recordedTls } from './tls-record.ts'

/** The data path as a whole: follows the configuration, lets clients in or not, and ends in order. */

export interface ProxySettings {
  readonly addressCacheMs: number
  readonly appendTimeoutMs: number
  readonly connectionsMax: number
  readonly dialTimeoutMs: number
  readonly listen: Endpoint
  readonly peeksMax: number
  readonly progressIntervalMs: number
  /** Whether clients are told why they get no further, where TLS has an alert for it. */
  readonly tlsAlerts: boolean
}

export interface ProxyParts {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly engine: Engine
  readonly live: Live
  readonly log: EventLog
  readonly makeId: MakeId
  readonly network: Network
  readonly notes: Notes
  readonly random: Random
}

const drainPollMs = 50

export class Proxy {
  readonly #parts: ProxyParts
  readonly #settings: ProxySettings
  readonly #addresses: Addresses
  readonly #backends = new Backends()
  readonly #checks: HealthChecks
  readonly #drains: Drains
  readonly #listeners: Listeners
  readonly #openLinks: OpenLinks
  readonly #refusals: Refusals
  readonly #stages: Stages
  /** As taken over last. */
  #routing: Routing
  #subscription: Disposable | null = null
  #life: 'running' | 'starting' | 'stopping' = 'starting'
  /** Clients whose story is not over: each still owes a record, or is about to. */
  #serving = 0

  constructor(parts: ProxyParts, settings: ProxySettings) {
    this.#parts = parts
    this.#settings = settings
    const { clock, drafts, engine, live, log, makeId, network, notes, random } = parts
    const health = new HealthBook(clock, notes, drafts)
    this.#addresses = new Addresses(clock, network, notes, drafts, settings.addressCacheMs)
    this.#checks = new HealthChecks({
      addresses: this.#addresses, clock, health, network, random, timeoutMs: settings.dialTimeoutMs,
    })
    this.#drains = new Drains({ backends: this.#backends, clock, drafts, notes })
    this.#routing = live.routing
    this.#refusals = new Refusals(clock, log, drafts)
    this.#openLinks = new OpenLinks(clock, log, notes, drafts, settings.progressIntervalMs)
    this.#listeners = new Listeners(engine, clock, notes, drafts, settings.listen, (entry) => this.#entrance(entry))
    this.#stages = {
      appendTimeoutMs: settings.appendTimeoutMs,
      clock,
      dialing: {
        addresses: this.#addresses, backends: this.#backends, clock, dialTimeoutMs: settings.dialTimeoutMs, health, random,
      },
      drafts,
      log,
      makeId,
      openLinks: this.#openLinks,
      refusals: this.#refusals,
      routing: () => live.routing,
      tlsAlerts: settings.tlsAlerts,
    }
  }

  /** Binds the listeners and starts the checks. A bind that fails is on record and in `notReady`, not an error. */
  async start(): Promise<void> {
    this.#subscription = this.#parts.live.subscribe('control', (recorded) => this.#follow(recorded))
    await this.#configure()
    if (this.#life === 'starting') this.#life = 'running'
  }

  get listeners(): readonly ListenerNow[] {
    return this.#listeners.view()
  }

  /** Why this node should get no clients now. */
  notReady(): readonly NotReady[] {
    if (this.#life === 'starting') return [{ code: 'starting', sentence: 'the node is starting' }]
    if (this.#life === 'stopping') return [{ code: 'shutting_down', sentence: 'the node is shutting down' }]
    return this.#listeners
      .view()
      .filter(({ state, pool }) => state === 'failed' && pool === null)
      .map(({ address, code }) => ({
        code: 'listener_not_bound',
        sentence: `the shared listener could not be bound to ${address}: ${code ?? 'not tried yet'}`,
      }))
  }

  openByBackend(pool: string, backend: string): OpenCount {
    return openOn(this.#backends.named(pool, backend))
  }

  openOfPool(pool: string): OpenCount {
    return openOn([...this.#backends.ofPool(pool), ...this.#backends.leftOf(pool)])
  }

  openInAll(): { readonly connections: number; readonly oldestAt: string | null } {
    const [oldest] = this.#openLinks.all()
    return { connections: this.#openLinks.size, oldestAt: oldest?.openedAt ?? null }
  }

  *openOnBackends(): Iterable<OpenOnBackend> {
    for (const state of this.#backends.withOpen()) yield { pool: state.pool, backend: state.id, ...openOn([state]) }
  }

  get peeking(): number {
    return this.#parts.engine.peeking
  }

  get connectionsMax(): number {
    return this.#settings.connectionsMax
  }

  healthOf(pool: string, backend: string): BackendHealthNow {
    const state = this.#backends.find(pool, backend)
    const checkedAtMs = state?.checkedAtMs ?? null
    return {
      state: state?.health.state ?? 'new', code: state?.lastCode ?? null, checkedAt: checkedAtMs === null ? null : rfc3339(checkedAtMs),
    }
  }

  *openConnections(after: string | null): Iterable<OpenConnectionNow> {
    for (const open of this.#openLinks.all()) {
      if (after === null || open.opened.connection_id > after) yield connectionNow(open)
    }
  }

  openConnection(id: string): OpenConnectionNow | null {
    const open = this.#openLinks.find(id)
    return open === undefined ? null : connectionNow(open)
  }

  endConnection(id: string, actor: Actor): boolean {
    const open = this.#openLinks.find(id)
    open?.link.abort({ actor, by: 'operator', because: 'operator_ended', code: null })
    return open !== undefined
  }

  /** Backend slots that are taken: by connections being dialled, waiting for their record, or open. */
  get leases(): number {
    return this.#backends.leases
  }

  /** Accepts nobody any more; what is open goes on. */
  async stopAccepting(): Promise<void> {
    this.#life = 'stopping'
    this.#checks[Symbol.dispose]()
    await this.#listeners.stop()
  }

  /** Resolves when every connection has ended by itself, or when `signal` aborts or the time is up. */
  async drain(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { clock, engine } = this.#parts
    const untilMs = clock.monotonicMs() + timeoutMs
    while (engine.links > 0 && clock.monotonicMs() < untilMs && !signal.aborted) await sleep(clock, drainPollMs, signal)
  }

  /** Ends what is left. Resolves with how many were ended, when every closing record is durable or time is up. */
  async end(recordsTimeoutMs: number): Promise<{ readonly ended: number; readonly allRecorded: boolean }> {
    const { clock, engine } = this.#parts
    const ended = engine.links
    // What ends now ends because the node does.
    this.#subscription?.[Symbol.dispose]()
    this.#drains[Symbol.dispose]()
    engine.abortAll({ by: 'proxy', because: 'shutdown', code: null })
    const untilMs = clock.monotonicMs() + recordsTimeoutMs
    while (!this.#allRecorded() && clock.monotonicMs() < untilMs) {
      await this.#refusals.flush()
      if (!this.#allRecorded()) await sleep(clock, drainPollMs)
    }
    await this.#refusals[Symbol.asyncDispose]()
    this.#openLinks[Symbol.dispose]()
    await engine[Symbol.asyncDispose]()
    return { ended, allRecorded: this.#allRecorded() }
  }

  /** A change that was void changes nothing, whatever it says. */
  #follow({ event, leafHash }: Recorded): void {
    const { routing } = this.#parts.live
    if (routing.basis !== leafHash) return
    const concerned = this.#drains.concerned(event)
    const drainTimeoutMs = concerned.length === 0 ? null : (this.#routing.pools.get(concerned[0]!.pool)?.drainTimeoutMs ?? null)
    void this.#configure()
    this.#drains.take(event, concerned, drainTimeoutMs)
  }

  #allRecorded(): boolean {
    const { size, owed, lost } = this.#openLinks
    return this.#serving === 0 && size === 0 && owed === 0 && lost === 0 && this.#refusals.settled
  }

  async #configure(): Promise<void> {
    const { routing } = this.#parts.live
    this.#routing = routing
    this.#backends.update(routing)
    // Nobody new comes, but a drain still means those who are open.
    if (this.#life === 'stopping') return
    this.#checks.update(routing, this.#backends.all())
    this.#addresses.keepOnly(new Set([...this.#backends.all()].map(({ host }) => host)))
    await this.#listeners.update(routing)
  }

  #entrance(entry: Entry): Entrance {
    return {
      gate: (client) => {
        // A peer without an address would be on record as nobody: it is gone, or its packets were made to look so.
        const reason = client === null ? 'client_gone' : this.#closedBecause()
        if (reason === null) return true
        this.#refusals.record({
          reason, client, listener: entry.listener, afterMs: 0, alert: null, attempts: [], detail: null, ja4: null, pool: entry.ownPool,
          serverName: null,
        })
        return false
      },
      serve: (link) => void this.#serve(link, entry),
    }
  }

  async #serve(link: Link, entry: Entry): Promise<void> {
    this.#serving += 1
    try {
      await serve(link, entry, this.#stages)
    } finally {
      this.#serving -= 1
    }
  }

  /** Why nobody gets in now; null when the next client may. */
  #closedBecause(): RefusalReason | null {
    const { engine, log } = this.#parts
    if (this.#life === 'stopping') return 'shutting_down'
    if (engine.links >= this.#settings.connectionsMax) return 'connection_limit'
    if (!log.availability('connections').available) return 'log_unavailable'
    return engine.peeking >= this.#settings.peeksMax ? 'peek_limit' : null
  }
}

function openOn(backends: readonly BackendState[]): OpenCount {
  let [connections, bytesToBackend, bytesToClient] = [0, 0, 0]
  for (const { open } of backends) {
    connections += open.size
    for (const counts of open) {
      bytesToBackend += counts.bytesToBackend
      bytesToClient += counts.bytesToClient
    }
  }
  return { connections, bytesToBackend, bytesToClient }
}

function connectionNow({ link, opened, openedAt }: OpenLink): OpenConnectionNow {
  return {
    opened, openedAt, bytesToBackend: link.bytesToBackend, bytesToClient: link.bytesToClient,
    encrypted: encryptedNow(opened.encrypted, link.tls), tls: recordedTls(link.tls),
  }
}
