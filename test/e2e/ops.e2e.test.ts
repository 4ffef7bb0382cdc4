import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { runWaybill, startWaybill, TemporaryFolder } from '../support/waybill.ts'

/** The listener for probes, on a node as users run it. */

test('probes are answered where --ops says, and nothing else is', async () => {
  using folder = new TemporaryFolder()
  await using node = await startWaybill(folder.path, ['--ops', '127.0.0.1:0'])
  const { ops } = JSON.parse(node.lines.at(-1)!) as { ops: string }
  expect(await (await fetch(`http://${ops}/health/ready`)).json()).toEqual({ status: 'ready' })
  expect(await (await fetch(`http://${ops}/health/live`)).json()).toEqual({ status: 'live' })
  expect((await fetch(`http://${ops}/api/pools`)).status).toBe(404)
  expect(await node.stop()).toBe(0)
  await expect(fetch(`http://${ops}/health/live`)).rejects.toThrow('fetch failed')
})

test('an address that is taken stops the start with a sentence', async () => {
  using folder = new TemporaryFolder()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`
  const flags = ['--data', folder.path, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0', '--ops', address]
  const { code, stderr } = await runWaybill(['serve', ...flags])
  expect(code).not.toBe(0)
  expect(stderr).toContain(`probes can't be answered on ${address}: EADDRINUSE`)
  taken.close()
})
