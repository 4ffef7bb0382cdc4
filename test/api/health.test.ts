import { expect, test } from 'vitest'
import { harness } from './harness.ts'

test('live says that the process answers, ready that it should get clients', async () => {
  await using api = await harness()
  expect(await api.get('/health/live')).toMatchObject({ status: 200, json: { status: 'live' } })
  expect(await api.get('/health/ready')).toMatchObject({ status: 200, json: { status: 'ready' } })
})

test('not ready: 503 with every reason; alive all the same', async () => {
  await using api = await harness()
  api.notReady.push({ code: 'shutting_down', sentence: 'The node is shutting down.' })
  using _broken = api.log.breakCommits('control', 'not_written', 'EIO')
  await api.post('/api/pools', { name: 'a' })
  const { status, json } = await api.get('/health/ready')
  expect(status).toBe(503)
  expect(json).toMatchObject({
    code: 'not_ready',
    errors: [
      { code: 'shutting_down', sentence: 'The node is shutting down.' },
      { code: 'log_unavailable', sentence: expect.stringContaining('EIO') },
    ],
  })
  expect((await api.get('/health/live')).status).toBe(200)
})
