import { isIP } from 'node:net'
import { HealthAddressesChanged } from '../../events/health.ts'
import type { Clock } from '../core/clock.ts'
import { errnoOf } from '../core/errors.ts'
import type { Network } from '../core/network.ts'
import type { Drafts } from '../log/drafts.ts'
import type { Notes } from '../log/notes.ts'

/**
 * Host names to addresses by the system's resolver, cached for a while. Every change of an answer is on record: it
 * tells which address a name meant at a time. An answer that can't be renewed goes on being used.
 */

/** getaddrinfo blocks a thread of the pool that the log also writes with: never more than this many at once. */
const lookupsAtOnceMax = 2
const addressesRecordedMax = 64

interface Answer {
  readonly addresses: readonly string[]
  readonly untilMs: number
}

export class Addresses {
  readonly #clock: Clock
  readonly #network: Network
  readonly #notes: Notes
  readonly #drafts: Drafts
  readonly #cacheMs: number
  readonly #answers = new Map<string, Answer>()
  readonly #running = new Map<string, Promise<readonly string[]>>()
  readonly #queue: (() => void)[] = []
  #active = 0

  constructor(clock: Clock, network: Network, notes: Notes, drafts: Drafts, cacheMs: number) {
    this.#clock = clock
    this.#network = network
    this.#notes = notes
    this.#drafts = drafts
    this.#cacheMs = cacheMs
  }

  /**
   * At least one address, in the resolver's order. Rejects with the resolver's `code` when there never was one, with
   * `timeout` when it says nothing for that long, or with `ECANCELED` once `gone` has settled: nobody asks any more.
   */
  async of(host: string, timeoutMs: number, gone: Promise<unknown>): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    const cached = this.#answers.get(host)
    if (cached !== undefined && this.#clock.monotonicMs() < cached.untilMs) return cached.addresses
    let running = this.#running.get(host)
    if (running === undefined) {
      running = this.#renew(host, cached).finally(() => this.#running.delete(host))
      this.#running.set(host, running)
    }
    // A known answer serves while it is renewed: nobody waits for a resolver that is slow or dead. Health checks keep asking.
    return cached === undefined ? this.#inTime(running, timeoutMs, gone, host) : cached.addresses
  }

  async #inTime(
    running: Promise<readonly string[]>, timeoutMs: number, gone: Promise<unknown>, host: string,
  ): Promise<readonly string[]> {
    const late = Promise.withResolvers<'gone' | null>()
    using _timer = this.#clock.after(timeoutMs, () => late.resolve(null))
    void gone.then(() => late.resolve('gone'))
    const answer = await Promise.race([running, late.promise])
    if (answer === 'gone') throw Object.assign(new Error(`nobody asks for ${host} any more`), { code: 'ECANCELED' })
    if (answer !== null) return answer
    throw Object.assign(new Error(`${host} was not resolved within ${timeoutMs} ms`), { code: 'timeout' })
  }

  /** Hosts that no backend has any more are forgotten. */
  keepOnly(hosts: ReadonlySet<string>): void {
    for (const host of this.#answers.keys()) if (!hosts.has(host)) this.#answers.delete(host)
  }

  async #renew(host: string, cached: Answer | undefined): Promise<readonly string[]> {
    let addresses: readonly string[]
    try {
      addresses = await this.#lookup(host)
    } catch (error) {
      if (cached === undefined) throw error
      addresses = cached.addresses
    }
    this.#answers.set(host, { addresses, untilMs: this.#clock.monotonicMs() + this.#cacheMs })
    if (cached === undefined || !sameSet(cached.addresses, addresses)) this.#record(host, cached, addresses)
    return addresses
  }

  async #lookup(host: string): Promise<readonly string[]> {
    if (this.#active < lookupsAtOnceMax) this.#active += 1
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    try {
      const addresses = await this.#network.lookup(host)
      if (addresses.length === 0) throw Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' })
      return addresses
    } catch (error) {
      throw Object.assign(new Error(`${host} does not resolve: ${errnoOf(error)}`, { cause: error }), {
        code: errnoOf(error),
      })
    } finally {
      // The slot goes to who waits longest, or is free again.
      const next = this.#queue.shift()
      if (next === undefined) this.#active -= 1
      else next()
    }
  }

  #record(host: string, cached: Answer | undefined, addresses: readonly string[]): void {
    const draft = this.#drafts.make(HealthAddressesChanged, `hosts/${host}`, {
      after: addresses.slice(0, addressesRecordedMax).toSorted(),
      before: cached === undefined ? null : cached.addresses.slice(0, addressesRecordedMax).toSorted(),
      host,
      truncated: addresses.length > addressesRecordedMax,
    })
    this.#notes.write('operations', `addresses ${host}`, draft)
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  const known = new Set(a)
  return b.every((address) => known.has(address))
}
