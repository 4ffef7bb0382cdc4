import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { ConnectionClosed, ConnectionOpened } from '../../events/connection.ts'
import { streams, type Stream } from '../../events/define.ts'
import { HealthChanged } from '../../events/health.ts'
import { PoolChanged, PoolCreated } from '../../events/pool.ts'
import { leafHash } from '../../events/chain.ts'
import { fold } from '../../projections/projection.ts'
import { routing } from '../../projections/routing.ts'
import { Fault } from '../../src/core/errors.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live, type LiveTrouble } from '../../src/live/live.ts'
import { LogDamaged, type EventLog } from '../../src/log/event-log.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { draftOf, madeRecord, RecordChain, recorded, type MadeRecord } from '../support/records.ts'
import { ScriptedLog } from '../support/scripted-log.ts'

interface Watched extends AsyncDisposable {
  readonly live: Live
  readonly troubles: LiveTrouble[]
  kinds(): LiveTrouble['kind'][]
}

function watch(log: EventLog): Watched {
  const troubles: LiveTrouble[] = []
  const live = new Live(log, (trouble) => void troubles.push(trouble))
  return { live, troubles, kinds: () => troubles.map(({ kind }) => kind), [Symbol.asyncDispose]: () => live.stop() }
}

/** Everything that is folded out of a log. */
function stateOf(live: Live): unknown {
  const { routing, health, openConnections, traffic, runs, frozen } = live
  return structuredClone({ routing, health, openConnections, traffic, runs, frozen, counts: streams.map((stream) => live.count(stream)) })
}

const createPool = { ...PoolCreated.examples[0], name: 'app' }
const changePool = (owner: string) => ({ ...PoolChanged.examples[0], name: 'app', set: { owner } })
const [opened] = ConnectionOpened.examples

describe('replay and follow', () => {
  const history = fc.record({ control: movesOf('control', 8), connections: movesOf('connections', 8), operations: movesOf('operations', 8) })

  test('come to the same, wherever one ends and the other begins', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(8), async (moves, cut) => {
        const made = (stream: Stream): MadeRecord[] => recordsOf(stream, moves[stream])
        const all = { control: made('control'), connections: made('connections'), operations: made('operations') }
        const whole = new ScriptedLog()
        const grown = new ScriptedLog()
        for (const stream of streams) {
          if (all[stream].length > 0) whole.push(stream, ...all[stream])
          for (const record of all[stream].slice(0, cut)) grown.push(stream, record)
        }
        await using replayed = watch(whole.asLog())
        await replayed.live.replay()
        await using followed = watch(grown.asLog())
        await followed.live.replay()
        followed.live.follow()
        for (const stream of streams) for (const record of all[stream].slice(cut)) grown.push(stream, record)
        await settled()
        expect(stateOf(followed.live)).toEqual(stateOf(replayed.live))
        expect(followed.troubles).toEqual([])
        expect(replayed.live.routing).toEqual(fold(routing, all.control.map(recorded)))
      }),
      { numRuns: 60 },
    )
  })

  test('read each record once: following begins behind what was replayed', async () => {
    const log = new ScriptedLog()
    const chain = new RecordChain('control')
    log.push('control', chain.make(PoolCreated, createPool), chain.make(PoolChanged, changePool('ada')))
    await using watched = watch(log.asLog())
    await watched.live.replay()
    watched.live.follow()
    await settled()
    expect(log.readFrom).toEqual([...streams.map((stream) => [stream, null]), ...streams.map((stream) => [stream, stream === 'control' ? 'at-2' : null])])
  })

  test('tell listeners of every record of their stream, in order, right after it was folded', async () => {
    const log = new ScriptedLog()
    const chain = new RecordChain('control')
    await using watched = watch(log.asLog())
    const { live } = watched
    const seen: [string, number][] = []
    const subscription = live.subscribe('control', ({ event }) => void seen.push([event.id, live.routing.revision]))
    const records = [chain.make(PoolCreated, createPool), chain.make(PoolChanged, changePool('ada'))]
    log.push('control', ...records)
    await live.replay()
    live.follow()
    expect(seen).toEqual(records.map(({ event }, index) => [event.id, index + 1]))
    subscription[Symbol.dispose]()
    log.push('control', chain.make(PoolChanged, changePool('eve')))
    await settled()
    expect(seen).toHaveLength(2)
    expect(live.routing.revision).toBe(3)
  })

  test('a snapshot of the routing stays as it was', async () => {
    const log = new ScriptedLog()
    const chain = new RecordChain('control')
    log.push('control', chain.make(PoolCreated, createPool))
    await using watched = watch(log.asLog())
    await watched.live.replay()
    const snapshot = watched.live.routing
    const before = structuredClone(snapshot)
    watched.live.follow()
    log.push('control', chain.make(PoolChanged, changePool('eve')))
    await settled()
    expect(snapshot).toEqual(before)
    expect(watched.live.routing.pools.get('app')?.owner).toBe('eve')
  })
})

describe('records that come again', () => {
  test('are dropped before any fold, one by one or all of them', async () => {
    await fc.assert(
      fc.asyncProperty(movesOf('connections', 10), movesOf('operations', 10), fc.nat(), async (connections, operations, at) => {
        const once = new ScriptedLog()
        const twice = new ScriptedLog()
        for (const [stream, moves] of [['connections', connections], ['operations', operations]] as const) {
          const records = recordsOf(stream, moves)
          for (const record of records) once.push(stream, record)
          for (const record of records) twice.push(stream, record, record)
          for (const record of records.slice(at % (records.length + 1))) twice.push(stream, record)
        }
        await using plain = watch(once.asLog())
        await using repeated = watch(twice.asLog())
        await plain.live.replay()
        await repeated.live.replay()
        expect(stateOf(repeated.live)).toEqual(stateOf(plain.live))
        expect(repeated.troubles).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  test('a change that comes again is neither effective twice nor void', async () => {
    const log = new ScriptedLog()
    const record = new RecordChain('control').make(PoolCreated, createPool)
    log.push('control', record, record)
    await using watched = watch(log.asLog())
    await watched.live.replay()
    expect(watched.live.routing).toMatchObject({ revision: 1, voided: 0 })
    expect(watched.live.count('control')).toBe(1)
  })
})

describe('what is wrong with the records', () => {
  const kinds = ['replay', 'follow'] as const

  async function fed(how: (typeof kinds)[number], stream: Stream, records: readonly Pick<MadeRecord, 'bytes' | 'leafHash'>[]): Promise<Watched> {
    const log = new ScriptedLog()
    const watched = watch(log.asLog())
    if (how === 'follow') watched.live.follow()
    for (const record of records) log.push(stream, record)
    if (how === 'replay') await watched.live.replay()
    else await settled()
    return watched
  }

  /** The same place in the chain, other bytes. */
  function forged(record: MadeRecord): MadeRecord {
    return madeRecord(record.text.replace('"time":"2026', '"time":"2025'))
  }

  function broken(text: string): Pick<MadeRecord, 'bytes' | 'leafHash'> {
    return { bytes: Buffer.from(text), leafHash: leafHash(text) }
  }

  test.each(kinds)('%s: other bytes under a number that is taken are reported and not folded', async (how) => {
    const chain = new RecordChain('connections')
    const [first, second] = [chain.make(ConnectionOpened, opened), chain.make(ConnectionClosed, ConnectionClosed.examples[0])]
    await using watched = await fed(how, 'connections', [first, forged(first), second])
    expect(watched.kinds()).toEqual(['contradiction'])
    expect(watched.troubles[0]?.detail).toContain(`${chain.source} sequence 0`)
    expect(watched.live.count('connections')).toBe(2)
    expect(watched.live.openConnections.size).toBe(0)
    // Only the configuration has to be certain.
    expect(watched.live.frozen).toBeNull()
  })

  test.each(kinds)('%s: a missing record is reported, and what follows is folded', async (how) => {
    const chain = new RecordChain('connections')
    const records = ['01', '02', '03'].map((end) => chain.make(ConnectionOpened, { ...opened, connection_id: `0198c0de-0000-7000-8000-0000000000${end}` }))
    await using watched = await fed(how, 'connections', [records[0]!, records[2]!])
    expect(watched.kinds()).toEqual(['gap'])
    expect(watched.live.openConnections.size).toBe(2)
  })

  test.each(kinds)('%s: one that was missing and comes after later ones is reported and not folded', async (how) => {
    const chain = new RecordChain('connections')
    const [lost, second] = [chain.make(ConnectionOpened, opened), chain.make(ConnectionClosed, ConnectionClosed.examples[0])]
    await using watched = await fed(how, 'connections', [second, lost])
    expect(watched.kinds()).toEqual(['gap', 'late'])
    expect(watched.live.openConnections.size).toBe(0)
  })

  test.each(kinds)('%s: an unknown type elsewhere is counted, and the rest goes on', async (how) => {
    const chain = new RecordChain('operations')
    const known = chain.make(HealthChanged, HealthChanged.examples[0])
    const unknown = broken(known.text.replace('health.changed.v1', 'health.guessed.v1'))
    await using watched = await fed(how, 'operations', [unknown])
    expect(watched.troubles).toEqual([{ stream: 'operations', kind: 'unknown_type', detail: 'dev.waybill.health.guessed.v1' }])
    expect(watched.live.count('operations')).toBe(1)
    expect(watched.live.frozen).toBeNull()
  })

  describe.each(['unknown_type', 'contradiction', 'gap', 'late'] as const)('%s in control', (kind) => {
    test.each(kinds)('%s: the routing stays as it was from then on, and says why', async (how) => {
      const chain = new RecordChain('control')
      const records = [chain.make(PoolCreated, createPool), ...['a', 'b', 'c', 'd'].map((owner) => chain.make(PoolChanged, changePool(owner)))]
      const [created, a, b, c, d] = records as [MadeRecord, MadeRecord, MadeRecord, MadeRecord, MadeRecord]
      const unknown = broken(b.text.replace('pool.changed.v1', 'pool.changed.v2'))
      const trouble = {
        unknown_type: [created, a, unknown, c, d],
        contradiction: [created, a, forged(a), b, c, d],
        gap: [created, a, c, d],
        late: [created, a, c, b, d],
      }[kind]
      await using watched = await fed(how, 'control', trouble)
      expect(watched.kinds()).toContain(kind)
      expect(watched.live.routing).toEqual(fold(routing, [created, a].map(recorded)))
      expect(watched.live.frozen?.because).toMatch(kind === 'late' ? /^gap: / : new RegExp(`^${kind}: `))
    })
  })

  test('nobody is told of changes that are not folded any more', async () => {
    const log = new ScriptedLog()
    const chain = new RecordChain('control')
    await using watched = watch(log.asLog())
    const told: string[] = []
    watched.live.subscribe('control', ({ event }) => void told.push(event.id))
    const created = chain.make(PoolCreated, createPool)
    chain.make(PoolChanged, changePool('missing'))
    log.push('control', created, chain.make(PoolChanged, changePool('after the gap')))
    await watched.live.replay()
    expect(watched.live.frozen).not.toBeNull()
    expect(told).toEqual([created.event.id])
  })

  const good = new RecordChain('control').make(PoolCreated, createPool)
  test.each([
    ['not JSON', Buffer.from(good.text.replace('"data":{', '"data":{{'))],
    ['not a record', Buffer.from('{}')],
    ['not of its schema', Buffer.from(good.text.replace('"ssl_mode":"passthrough"', '"ssl_mode":"termination"'))],
    ['not UTF-8', Buffer.from(good.text.replace('payments team', '\xff'), 'latin1')],
  ])('malformed, %s: stops the start; when it comes later, the configuration is not followed any more', async (_what, bytes) => {
    const record = { bytes, leafHash: leafHash(bytes) }
    const log = new ScriptedLog()
    log.push('control', record)
    const starting = watch(log.asLog())
    await expect(starting.live.replay()).rejects.toThrow(LogDamaged)
    await expect(starting.live.replay()).rejects.toThrow(/record at at-1 of control is not readable: \w/)
    await using watched = await fed('follow', 'control', [record])
    expect(watched.kinds()).toEqual(['malformed'])
    expect(watched.live.frozen?.because).toMatch(/^malformed: /)
    expect(watched.live.routing).toEqual(routing.initial())
  })

  test('two places in one record, of which the text shows one and JSON the other', async () => {
    // JSON knows the escaped key, a reader of the text does not: the last one wins for each.
    const otherSource = good.event.source.replace('node-1', 'node-9')
    const text = good.text.replace(',"specversion"', `,"sourc\\u0065":"${otherSource}","specversion"`)
    expect(JSON.parse(text)).toMatchObject({ source: otherSource })
    const log = new ScriptedLog()
    log.push('control', broken(text))
    await expect(watch(log.asLog()).live.replay()).rejects.toThrow(/reads in two ways/)
  })

  test('a medium that fails ends the following, and is no crash', async () => {
    for (const stream of ['control', 'connections'] as const) {
      const log = new ScriptedLog()
      await using watched = watch(log.asLog())
      watched.live.follow()
      log.fail(stream, new Fault('log_unreadable', 'disk', 'the folder can\'t be read'))
      await settled()
      expect(watched.troubles).toEqual([{ stream, kind: 'unreadable', detail: 'the folder can\'t be read' }])
      expect(watched.live.frozen === null).toBe(stream !== 'control')
    }
  })
})

describe('the outcome of a change', () => {
  async function started() {
    const clock = new ManualClock()
    const log = new MemoryLog({ clock, makeId: idMaker(clock, systemRandom) })
    const watched = watch(log)
    await watched.live.replay()
    watched.live.follow()
    return { log, ...watched }
  }
  const append = (log: EventLog, draft: ReturnType<typeof draftOf>) => log.append('control', [draft], { purpose: 'admission' })

  test('is effective or void, as the fold says', async () => {
    const { log, live } = await started()
    const { revision, basis } = live.routing
    const winner = draftOf(PoolCreated, createPool, { revision: revision + 1, basis })
    const loser = draftOf(PoolCreated, { ...createPool, name: 'late' }, { revision: revision + 1, basis })
    using one = live.outcomeOf(winner.id)
    using other = live.outcomeOf(loser.id)
    await Promise.all([append(log, winner), append(log, loser)])
    expect(await Promise.all([one, other])).toEqual(['effective', 'void'])
    expect([...live.routing.pools.keys()]).toEqual(['app'])
    expect(live.routing.voided).toBe(1)
    await live.stop()
  })

  test('is not told once nobody asks any more', async () => {
    const { log, live } = await started()
    const draft = draftOf(PoolCreated, createPool, { revision: 1, basis: live.routing.basis })
    let told = false
    const outcome = live.outcomeOf(draft.id)
    void outcome.then(() => (told = true))
    outcome[Symbol.dispose]()
    await append(log, draft)
    await settled()
    expect(live.routing.revision).toBe(1)
    expect(told).toBe(false)
    await live.stop()
  })

  test('is not known while the configuration is not followed', async () => {
    const log = new ScriptedLog()
    const chain = new RecordChain('control')
    await using watched = watch(log.asLog())
    watched.live.follow()
    const created = chain.make(PoolCreated, createPool)
    chain.make(PoolChanged, changePool('missing'))
    const asked = chain.make(PoolChanged, changePool('after the gap'))
    let told = false
    void watched.live.outcomeOf(asked.event.id).then(() => (told = true))
    log.push('control', created, asked)
    await settled()
    expect(watched.kinds()).toEqual(['gap'])
    expect(told).toBe(false)
  })
})
