import { describe, expect, test } from 'vitest'
import { readRecord, type WaybillEvent } from '../../events/catalog.ts'
import { Applier, type By } from '../../src/commands/applier.ts'
import type { FileContent } from '../../src/commands/apply-plan.ts'
import { commandsWaitingMax } from '../../src/commands/bounds.ts'
import { decideChangePool, type ChangePool } from '../../src/commands/change-pool.ts'
import { Desk } from '../../src/commands/desk.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { request, rules } from './decide.ts'
import { declares, file, nodeRequest } from './play.ts'

/** Declaration files at a real desk, on a log in memory. */

interface Node extends AsyncDisposable {
  readonly applier: Applier
  readonly desk: Desk
  readonly live: Live
  readonly log: MemoryLog
  /** Of the control stream, in order. */
  records(): Promise<WaybillEvent[]>
}

async function node(): Promise<Node> {
  const makeId = idMaker(systemClock, systemRandom)
  const log = new MemoryLog({ clock: systemClock, makeId })
  const live = new Live(log, () => {})
  await live.replay()
  live.follow()
  const desk = new Desk({ live, log, clock: systemClock, makeId, rules, appendTimeoutMs: 5_000 })
  const applier = new Applier({ clock: systemClock, desk, live, makeId, rules })
  const records = async (): Promise<WaybillEvent[]> => {
    const found: WaybillEvent[] = []
    for await (const batch of log.read('control', { after: null, follow: false })) {
      for (const { bytes } of batch) {
        const reading = readRecord(bytes)
        if (reading.kind === 'event') found.push(reading.event)
      }
    }
    return found
  }
  return {
    applier, desk, live, log, records,
    [Symbol.asyncDispose]: async () => {
      await live.stop()
      await log.close(1_000)
    },
  }
}

const by: By = { actor: nodeRequest.actor, idempotency: null, origin: nodeRequest.origin }
const pool = (name: string) => ({ name, server_names: [`${name}.example`], backends: [{ url: 'https://x' }] })
const change = { approved_by: null, reason: null, requested_by: 'ada', ticket: 'CHG-1' }
const two: FileContent = { ...declares([pool('a'), pool('b')], [{ name: 'listen', value: '[::]:1' }]), change }

describe('applying a file', () => {
  test('one record for each object, the file last, each with who and why', async () => {
    await using here = await node()
    const application = await here.applier.apply(two, by)
    expect(application).toMatchObject({ kind: 'applied', objects: { changed: 0, created: 2, removed: 0 }, after: { revision: 3 } })
    const records = await here.records()
    expect(records.map(({ subject }) => subject)).toEqual(['pools/a', 'pools/b', `files/${two.digest}`])
    for (const { data } of records) expect(data).toMatchObject({ actor: { id: 'node-1', type: 'node' }, change, origin: { via: 'internal' } })
    expect(records[2]).toMatchObject({ id: application.kind === 'applied' ? application.recordId : '', data: { objects: { created: 2 }, settings: two.settings } })
  })

  test('a second time nothing; a preview never', async () => {
    await using here = await node()
    expect(here.applier.preview(two, by)).toMatchObject({ kind: 'applied', objects: { created: 2 }, recordId: null })
    expect(await here.records()).toEqual([])
    await here.applier.apply(two, by)
    expect(await here.applier.apply(two, by)).toMatchObject({ kind: 'unchanged' })
    expect(here.applier.preview(two, by)).toMatchObject({ kind: 'unchanged' })
    expect(await here.records()).toHaveLength(3)
  })

  test('one that is refused changes nothing', async () => {
    await using here = await node()
    const refused = await here.applier.apply(declares([pool('a'), { name: 'b', server_names: ['a.example'] }]), by)
    expect(refused).toMatchObject({ kind: 'refused', misfits: [{ path: ['pools', 1, 'server_names'], refusal: { code: 'server_name_taken' } }] })
    expect(await here.records()).toEqual([])
  })

  test('two at once run one after the other', async () => {
    await using here = await node()
    const applied = await Promise.all([here.applier.apply(two, by), here.applier.apply(declares([pool('b'), pool('c')]), by)])
    expect(applied).toMatchObject([{ kind: 'applied', objects: { created: 2 } }, { kind: 'applied', objects: { created: 1, removed: 1 } }])
    expect([...here.live.routing.pools.keys()].toSorted()).toEqual(['b', 'c'])
  })

  test('more than may wait are turned away', async () => {
    await using here = await node()
    const gate = here.log.stallCommits('control')
    const waiting = Array.from({ length: 8 }, () => here.applier.apply(two, by))
    expect(await here.applier.apply(two, by)).toEqual({ kind: 'stopped', done: 0, of: 0, subject: file, answer: { kind: 'busy', waiting: 8 } })
    gate[Symbol.dispose]()
    expect((await Promise.all(waiting)).map(({ kind }) => kind)).toEqual(['applied', ...Array.from({ length: 7 }, () => 'unchanged')])
  })

  test('a full desk is waited for: the file is not left half applied', async () => {
    await using here = await node()
    await here.applier.apply(two, by)
    const gate = here.log.stallCommits('control')
    const changes = Array.from({ length: commandsWaitingMax }, (_, index) => {
      const command: ChangePool = { ...request, name: 'a', set: { owner: `owner ${index}` } }
      return here.desk.run(decideChangePool, command)
    })
    const application = here.applier.apply(declares([pool('a'), pool('b'), pool('c')]), by)
    gate[Symbol.dispose]()
    await Promise.all(changes)
    expect(await application).toMatchObject({ kind: 'applied', objects: { created: 1 } })
  })

  test('a log that fails in between: what is done is said, and the next time does the rest', async () => {
    await using here = await node()
    const broken: Disposable[] = []
    const subscription = here.live.subscribe('control', () => {
      subscription[Symbol.dispose]()
      broken.push(here.log.breakCommits('control', 'not_written', 'ENOSPC'))
    })
    const stopped = await here.applier.apply(two, by)
    expect(stopped).toMatchObject({ kind: 'stopped', done: 1, of: 3, subject: 'pools/b', answer: { kind: 'not_applied' } })
    expect(here.live.routing.declarations.size).toBe(0)
    broken[0]?.[Symbol.dispose]()
    await expect.poll(() => here.log.availability('control').available, { timeout: 10_000 }).toBe(true)
    expect(await here.applier.apply(two, by)).toMatchObject({ kind: 'applied', objects: { created: 1 } })
  })
})

describe('a repeated Idempotency-Key', () => {
  const key = { digest: 'A'.repeat(43) + '=', key: 'k-1' }

  test('writes nothing, although something else was applied since', async () => {
    await using here = await node()
    await here.applier.apply(two, { ...by, idempotency: key })
    await here.applier.apply(declares([pool('c')]), by)
    const count = (await here.records()).length
    const again = await here.applier.apply(two, { ...by, idempotency: key })
    expect(again).toMatchObject({ kind: 'stopped', done: 0, answer: { kind: 'repeated', first: { revision: 3 } } })
    expect(await here.records()).toHaveLength(count)
  })

  test('with another request is refused before its first command', async () => {
    await using here = await node()
    await here.applier.apply(two, { ...by, idempotency: key })
    const other = await here.applier.apply(declares([pool('c')]), { ...by, idempotency: { ...key, digest: 'B'.repeat(43) + '=' } })
    expect(other).toMatchObject({ kind: 'stopped', done: 0, answer: { kind: 'refused', refusal: { code: 'idempotency_key_reused' } } })
    expect(await here.records()).toHaveLength(3)
  })
})
