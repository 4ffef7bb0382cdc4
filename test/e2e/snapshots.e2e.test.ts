import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

/** Snapshots as an operator meets them: in the data folder, used by the next start, and no loss when they are lost. */

interface Replayed {
  readonly message: string
  readonly in_snapshot: number
  readonly revision: number
}

function said(waybill: RunningWaybill, text: string): Replayed[] {
  return waybill.lines.map((line) => JSON.parse(line) as Replayed).filter(({ message }) => message.includes(text))
}

async function poolsOf(waybill: RunningWaybill): Promise<unknown> {
  return (await fetch(`${waybill.api}/api/pools`)).json()
}

test('a start goes on from the snapshot of the last stop; damaged or gone, the log is folded to the same', async () => {
  using folder = new TemporaryFolder()
  const data = join(folder.path, 'data')
  const snapshots = join(data, 'snapshots')
  const first = await startWaybill(data)
  for (const name of ['app', 'mail']) expect((await first.post('/api/pools', { name, server_names: [`${name}.example`] })).status).toBe(201)
  const pools = await poolsOf(first)
  expect(said(first, 'replayed')).toMatchObject([{ in_snapshot: 0 }])
  expect(await first.stop()).toBe(0)

  const second = await startWaybill(data)
  const [replayed] = said(second, 'replayed')
  expect(replayed).toMatchObject({ revision: 2 })
  expect(replayed!.in_snapshot).toBeGreaterThan(2)
  expect(await poolsOf(second)).toEqual(pools)
  expect(await second.stop()).toBe(0)

  for (const name of readdirSync(snapshots)) {
    const bytes = readFileSync(join(snapshots, name))
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(join(snapshots, name), bytes)
  }
  const third = await startWaybill(data)
  expect(said(third, 'replayed')).toMatchObject([{ in_snapshot: 0, revision: 2 }])
  expect(said(third, 'a snapshot is not used')).toHaveLength(2)
  expect(await poolsOf(third)).toEqual(pools)
  expect(await third.stop()).toBe(0)

  rmSync(snapshots, { recursive: true })
  const fourth = await startWaybill(data)
  expect(said(fourth, 'replayed')).toMatchObject([{ in_snapshot: 0, revision: 2 }])
  expect(await poolsOf(fourth)).toEqual(pools)
  expect(await fourth.stop()).toBe(0)
  expect(readdirSync(snapshots).filter((name) => name.startsWith('live-'))).toHaveLength(1)
})
