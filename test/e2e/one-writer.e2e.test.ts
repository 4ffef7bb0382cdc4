import { expect, test } from 'vitest'
import { runWaybill, startWaybill, TemporaryFolder } from '../support/waybill.ts'

test('two processes on one folder: the second says who holds it; after kill -9 the next one starts at once', async () => {
  using folder = new TemporaryFolder()
  await using first = await startWaybill(folder.path)
  const second = await runWaybill(['serve', '--data', folder.path, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0'])
  expect(second.code).toBe(1)
  expect(second.stderr).toContain(`process ${first.pid} (waybill serve, since `)
  expect(second.stderr).toContain('choose another folder')

  await first.kill()
  await using third = await startWaybill(folder.path)
  expect(await third.stop()).toBe(0)
})

test('a wrong call exits with 2 and says what to do; an address in use exits with 1 and names it', async () => {
  using folder = new TemporaryFolder()
  const wrong = await runWaybill(['serve', '--api', '0.0.0.0:4000', '--data', folder.path])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toMatch(/loopback/)
  expect((await runWaybill(['serve', '--no-such-flag'])).code).toBe(2)
  expect((await runWaybill(['--help'])).code).toBe(0)
  expect((await runWaybill(['serve', '--help'])).stdout).toContain('WAYBILL_LISTEN')

  await using running = await startWaybill(folder.path)
  using other = new TemporaryFolder()
  const listen = `127.0.0.1:${running.port}`
  const taken = await runWaybill(['serve', '--data', other.path, '--api', '127.0.0.1:0', '--listen', listen])
  expect(taken.code).toBe(1)
  expect(taken.stderr).toContain(listen)
  expect(taken.stderr).toContain('EADDRINUSE')
})
