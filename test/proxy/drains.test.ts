import { expect, test } from 'vitest'
import { BackendDrained, BackendRemoved, BackendResumed } from '../../events/backend.ts'
import type { EventDefinition } from '../../events/define.ts'
import type { Draft } from '../../events/envelope.ts'
import { PoolCreated } from '../../events/pool.ts'
import { apply } from '../../projections/projection.ts'
import { routing } from '../../projections/routing.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Drafts } from '../../src/log/drafts.ts'
import type { Notes } from '../../src/log/notes.ts'
import { Backends, Lease, type BackendState } from '../../src/proxy/backends.ts'
import { Drains } from '../../src/proxy/drains.ts'
import type { Ending, Link } from '../../src/proxy/engine.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { recorded, RecordChain } from '../support/records.ts'

/** When a drain ends, by the clock and by what follows it; on real sockets in drains.int.test.ts. */

const id = '10.0.0.1:443'
const drainTimeoutMs = 1_000
const [created] = PoolCreated.examples
const leaving = { ...BackendDrained.examples[0], force: false, id, pool: 'app' }
const resuming = { ...BackendResumed.examples[0], id, pool: 'app' }

/** One pool with one backend, to which one client is connected. */
class Stand {
  readonly clock = new ManualClock()
  readonly backends = new Backends()
  readonly notes: Draft[] = []
  readonly endings: Ending[] = []
  readonly backend: BackendState
  readonly lease: Lease
  readonly #chain = new RecordChain('control')
  readonly #drains: Drains
  #routing = routing.initial()

  constructor() {
    const { backends, clock } = this
    const drafts = new Drafts(clock, idMaker(clock, systemRandom), 'test')
    const notes: Pick<Notes, 'write'> = { write: (_stream, _key, draft) => void this.notes.push(draft) }
    this.#drains = new Drains({ backends, clock, drafts, notes: notes as Notes })
    this.change(PoolCreated, { ...created, backends: [{ declaration: null, host: '10.0.0.1', id, port: 443, weight: 1 }], name: 'app' })
    this.backend = backends.find('app', id)!
    this.lease = new Lease(this.backend)
    this.backend.open.add({ abort: (ending) => void this.endings.push(ending) } as Partial<Link> as Link)
  }

  change(definition: EventDefinition, data: object): void {
    const made = recorded(this.#chain.make(definition, data))
    const concerned = this.#drains.concerned(made.event)
    this.#routing = apply(routing, this.#routing, made)
    this.backends.update(this.#routing)
    this.#drains.take(made.event, concerned, drainTimeoutMs)
  }

  get completed(): unknown[] {
    return this.notes.map(({ data }) => data)
  }
}

test('the timeout ends who is left, and not a moment earlier', () => {
  const stand = new Stand()
  stand.change(BackendDrained, leaving)
  stand.clock.advance(drainTimeoutMs - 1)
  expect(stand.endings).toEqual([])
  stand.clock.advance(1)
  expect(stand.endings).toEqual([{ by: 'proxy', because: 'drain_timeout', code: null }])
  expect(stand.completed).toEqual([])
  stand.lease[Symbol.dispose]()
  expect(stand.completed).toMatchObject([{ because: 'drain_timeout', connections_at_start: 1, pool: 'app', revision: 2 }])
})

test('a drain that is resumed ends nobody, not even in the next one', () => {
  const stand = new Stand()
  stand.change(BackendDrained, leaving)
  stand.clock.advance(drainTimeoutMs - 1)
  stand.change(BackendResumed, resuming)
  expect(stand.clock.pending).toBe(0)
  stand.change(BackendDrained, leaving)
  stand.clock.advance(drainTimeoutMs - 1)
  expect(stand.endings).toEqual([])
  stand.clock.advance(1)
  expect(stand.endings).toHaveLength(1)
  stand.lease[Symbol.dispose]()
  expect(stand.completed).toMatchObject([{ revision: 4 }])
})

test('a drain that is over leaves nothing behind: no timer, and no ending for who comes after it is resumed', () => {
  const stand = new Stand()
  stand.change(BackendDrained, { ...leaving, force: true })
  expect(stand.endings).toMatchObject([{ because: 'drain_forced', by: 'operator' }])
  stand.lease[Symbol.dispose]()
  expect(stand.completed).toHaveLength(1)
  expect(stand.clock.pending).toBe(0)
  expect(stand.backend).toMatchObject({ ending: null, leases: 0, whenIdle: null })
})

test('a backend that drained and is then removed is said to be over at its removal too, at once', () => {
  const stand = new Stand()
  stand.change(BackendDrained, leaving)
  stand.lease[Symbol.dispose]()
  stand.change(BackendRemoved, leaving)
  expect(stand.completed).toMatchObject([
    { connections_at_start: 1, revision: 2 },
    { because: 'finished', connections_at_start: 0, connections_ended: 0, revision: 3 },
  ])
  expect(stand.clock.pending).toBe(0)
})

test('its start is the time of the change, as the API shows it', () => {
  const stand = new Stand()
  stand.clock.step(3_600_000)
  stand.change(BackendDrained, leaving)
  stand.lease[Symbol.dispose]()
  expect(stand.completed).toMatchObject([{ since: '2026-11-24T08:00:00.000Z' }])
})
