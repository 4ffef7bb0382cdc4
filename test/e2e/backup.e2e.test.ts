import { copyFileSync, cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rawLines, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

/** docs/backup.md: a copy of a folder that is being written is what a crash leaves, and a start makes it whole. */

function copyLive(from: string, to: string): void {
  copyFileSync(join(from, 'node.json'), join(to, 'node.json'))
  for (const stream of ['connections', 'operations', 'control']) cpSync(join(from, stream), join(to, stream), { recursive: true })
}

async function createPools(waybill: RunningWaybill, count: number, made: string[]): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const name = `pool-${made.length}`
    const response = await waybill.post('/api/pools', { name, server_names: [`${name}.example`] })
    expect(response.status).toBe(201)
    made.push(name)
  }
}

test('a copy of a running node starts, and holds what was acknowledged before the copy began', async () => {
  using original = new TemporaryFolder()
  using copy = new TemporaryFolder()
  const made: string[] = []
  {
    await using running = await startWaybill(original.path)
    await createPools(running, 20, made)
    const before = made.length
    const writing = createPools(running, 30, made)
    copyLive(original.path, copy.path)
    await writing
    await running.stop()
    made.length = before
  }

  await using restored = await startWaybill(copy.path)
  const { pools } = (await (await fetch(`${restored.api}/api/pools`)).json()) as { pools: { name: string }[] }
  expect(pools.map(({ name }) => name)).toEqual(expect.arrayContaining(made))
  expect(await restored.stop()).toBe(0)
  const [whole, part] = [rawLines(original.path, 'control'), rawLines(copy.path, 'control')]
  expect(whole.slice(0, part.length)).toEqual(part)
})
