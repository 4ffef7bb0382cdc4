import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { harness, type Harness } from './harness.ts'

/** Clients that don't know of each other, each on connections of its own, over real HTTP. */

const clients = 8

async function listening(api: Harness): Promise<string> {
  await api.app.listen({ host: '127.0.0.1', port: 0 })
  return `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`
}

test('of those that change one pool with the same If-Match exactly one does; the others get 412 and find out why', async () => {
  await using api = await harness()
  const url = `${await listening(api)}/api/pools`
  await fetch(url, { method: 'POST', body: '{"name":"a"}' })
  const read = await fetch(`${url}/a`)
  const race = Array.from({ length: clients }, (_, index) =>
    fetch(`${url}/a`, { method: 'PATCH', headers: { 'if-match': read.headers.get('etag')! }, body: JSON.stringify({ owner: `client ${index}` }) }),
  )
  const answers = await Promise.all(race)
  expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, ...Array<number>(clients - 1).fill(412)])
  const winner = answers.find(({ status }) => status === 200)!
  const { owner } = (await winner.json()) as { owner: string }
  expect((await (await fetch(`${url}/a`)).json()) as object).toMatchObject({ owner, revision: 2 })
  for (const loser of answers.filter(({ status }) => status === 412)) {
    expect(await loser.json()).toMatchObject({ code: 'revision_mismatch', revision: 2 })
  }
  expect(await api.records('control')).toHaveLength(2)
})

test('those that send one request with one Idempotency-Key get one answer, and there is one record', async () => {
  await using api = await harness()
  const url = `${await listening(api)}/api/pools`
  const body = '{"name":"a","backends":[{"url":"https://x"}]}'
  const send = () => fetch(url, { method: 'POST', headers: { 'idempotency-key': 'order-66' }, body })
  const answers = await Promise.all(Array.from({ length: clients }, send))
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(clients).fill(201))
  expect(answers.map(({ headers }) => headers.get('etag'))).toEqual(Array<string>(clients).fill('"1"'))
  expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1)
  expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
  expect(await api.records('control')).toHaveLength(1)
})

test('a pool, its backends and their end by calls without a body where there is none to send', async () => {
  await using api = await harness()
  const url = `${await listening(api)}/api/pools`
  await fetch(url, { method: 'POST', body: '{"name":"a","backends":[{"url":"https://[::1]"}]}' })
  const backend = `${url}/a/backends/%5B::1%5D:443`
  const statuses = [
    await fetch(`${backend}/drain`, { method: 'POST' }),
    await fetch(`${backend}/resume`, { method: 'POST', body: '' }),
    await fetch(`${backend}?reason=moved%20away`, { method: 'DELETE' }),
    await fetch(`${url}/a?force=true`, { method: 'DELETE' }),
  ].map(({ status }) => status)
  expect(statuses).toEqual([200, 200, 204, 204])
})
