import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { streams } from '../../events/define.ts'
import { Fault } from '../../src/core/errors.ts'
import { LogDamaged } from '../../src/log/event-log.ts'
import type { FileLog } from '../../src/log/file/file-log.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { LogHistory } from '../support/log-history.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk, type DiskCallKind, type DiskFault, type FaultPlan } from '../support/memory-disk.ts'

/** The file log on a disk that fails and a machine that dies: what was acknowledged stays, what was refused never appears. */

const settings = { segmentBytes: 3_000, reserveBytes: 4_096, reserveMarginBytes: 4_096 }

/** Opens as a supervisor does: again and again until it works. A fault may keep it closed, damage may not. */
async function openAgain(disk: MemoryDisk, clock: ManualClock): Promise<FileLog> {
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      return await openMemoryLog(disk, { ...settings, clock })
    } catch (error) {
      if (!(error instanceof Fault) || error instanceof LogDamaged) throw error
    }
  }
  throw new Error('the log does not open without faults')
}

async function closed(log: FileLog, clock: ManualClock): Promise<void> {
  const closing = log.close(1_000)
  await clock.run(3_000)
  await closing
}

/** Rolls and compresses segments, ends in order and begins again. */
async function script(disk: MemoryDisk, clock: ManualClock, history: LogHistory): Promise<FileLog> {
  let log = await openAgain(disk, clock)
  for (const appends of [4, 2]) {
    for (let index = 0; index < appends; index += 1) {
      history.append(log, 'connections', 2, 300, index % 2 === 0 ? 'admission' : 'owed')
      if (index % 3 === 0) history.append(log, 'control', 1, 100, 'admission', 500)
      await clock.run(2_000)
      await log.compressed()
    }
    await history.check(log)
    await closed(log, clock)
    log = await openAgain(disk, clock)
    await log.compressed()
  }
  return log
}

async function run(plan: FaultPlan, end: (disk: MemoryDisk) => void): Promise<number> {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  const history = new LogHistory()
  disk.plan = plan
  const log = await script(disk, clock, history)
  const { calls } = disk
  history.append(log, 'connections', 1, 10, 'owed')
  await clock.run(3_000)
  end(disk)
  const after = await openAgain(disk, clock)
  await history.check(after)
  history.append(after, 'connections', 1, 10, 'admission')
  await clock.run(10)
  expect(after.availability()).toEqual({ available: true })
  await history.check(after)
  await closed(after, clock)
  return calls
}

/** What each kind of call can suffer; only writes and syncs can fail in more than one way. */
function faultsOf(kind: DiskCallKind): readonly DiskFault[] {
  if (kind === 'write') return [{ code: 'EIO' }, { code: 'EIO', taken: 100 }, { code: 'ENOSPC', taken: 1e9 }, { taken: 7 }]
  if (kind === 'sync') return [{ code: 'EIO' }, { code: 'EIO', kept: true }, { code: 'ENOSPC' }]
  return [{ code: kind === 'create' ? 'ENOSPC' : 'EIO' }]
}

describe('each call of the disk fails once', async () => {
  const kinds: DiskCallKind[] = []
  await run(
    (call) => {
      kinds.push(call.kind)
      return null
    },
    (disk) => disk.crash('process_only'),
  )

  test('the script makes enough calls to be worth it', () => expect(kinds.length).toBeGreaterThan(150))

  for (const kind of new Set(kinds)) {
    test(`${kind} fails once`, { timeout: 60_000 }, async () => {
      for (const [index, each] of kinds.entries()) {
        if (each !== kind) continue
        for (const fault of faultsOf(kind)) {
          const powerLoss = index % 2 === 0
          const fails: FaultPlan = (call) => (call.number === index + 1 ? fault : null)
          await run(fails, (disk) => disk.crash(powerLoss ? () => 0 : 'process_only')).catch((cause: unknown) => {
            throw new Error(`call ${index + 1} with ${JSON.stringify(fault)}`, { cause })
          })
        }
      }
    })
  }
})

type Step =
  | { readonly kind: 'append'; readonly stream: number; readonly records: number; readonly bytes: number; readonly owed: boolean; readonly timeoutMs: number | undefined }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'faults'; readonly share: number; readonly of: readonly string[] }
  | { readonly kind: 'capacity'; readonly bytes: number }
  | { readonly kind: 'crash'; readonly powerLoss: boolean }
  | { readonly kind: 'close' }

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        stream: fc.nat(2),
        records: fc.integer({ min: 1, max: 4 }),
        bytes: fc.constantFrom(10, 400, 2_000),
        owed: fc.boolean(),
        timeoutMs: fc.constantFrom(undefined, 50, 700),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 150, 5_000) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('faults' as const),
        share: fc.constantFrom(0, 0.05, 0.3, 1),
        of: fc.uniqueArray(fc.constantFrom('write', 'sync', 'truncate', 'create', 'rename', 'syncFolder', 'remove', 'close'), { minLength: 1 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('capacity' as const), bytes: fc.constantFrom(9_000, 20_000, 1e9) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), powerLoss: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const) }) },
  ),
  { minLength: 4, maxLength: 40 },
)

test('a start that fails leaves no file and no lock behind', async () => {
  const calls = new MemoryDisk()
  await closed(await openMemoryLog(calls), new ManualClock())
  for (let number = 1; number <= calls.calls; number += 1) {
    const disk = new MemoryDisk()
    disk.plan = (call) => (call.number === number ? { code: 'EIO' } : null)
    const opening = await openMemoryLog(disk).catch((error: unknown) => {
      expect(error).toBeInstanceOf(Fault)
      return null
    })
    if (opening === null) expect(disk.held, `call ${number}`).toEqual({ files: 0, locks: 0 })
  }
})

test('any faults, crashes and ends in any order', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), async (plan, stream) => {
      const chance = (): number => stream.next().value
      const disk = new MemoryDisk()
      const clock = new ManualClock()
      const history = new LogHistory()
      let log = await openAgain(disk, clock)
      const again = async (): Promise<void> => {
        disk.plan = () => null
        disk.capacityBytes = 1e9
        log = await openAgain(disk, clock)
        await history.check(log)
      }
      const take = async (step: Step): Promise<void> => {
        if (step.kind === 'append') {
          history.append(log, streams[step.stream]!, step.records, step.bytes, step.owed ? 'owed' : 'admission', step.timeoutMs)
        } else if (step.kind === 'wait') await clock.run(step.ms)
        else if (step.kind === 'capacity') disk.capacityBytes = step.bytes
        else if (step.kind === 'faults') disk.plan = randomFaults(step, chance)
        else {
          if (step.kind === 'close') await closed(log, clock)
          disk.crash(step.kind === 'close' ? 'process_only' : step.powerLoss ? chance : 'process_only')
          await again()
        }
      }
      for (const step of plan) await take(step)
      disk.crash(chance)
      await again()
      await closed(log, clock)
    }),
    { numRuns: Number(process.env['FAULT_RUNS'] ?? 100) },
  )
})

function randomFaults({ share, of }: Extract<Step, { kind: 'faults' }>, chance: () => number): FaultPlan {
  return ({ kind }) => {
    if (!of.includes(kind) || chance() >= share) return null
    return { code: chance() < 0.5 ? 'EIO' : 'ENOSPC', taken: Math.floor(chance() * 3_000), kept: chance() < 0.5 }
  }
}
