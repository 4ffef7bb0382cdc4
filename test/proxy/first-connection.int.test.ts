import { once } from 'node:events'
import { expect, test } from 'vitest'
import { startRig } from '../support/rig.ts'
import { tlsClient, tlsEcho } from '../support/peers.ts'

test('a TLS connection passes untouched and is on record, opened and closed', async () => {
  await using backend = await tlsEcho('one')
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const client = await tlsClient(rig.port, { ALPNProtocols: ['h2'] })
  client.write('hello')
  const [answer] = (await once(client, 'data')) as [Buffer]
  expect(answer.toString()).toBe('one:hello')
  client.end()
  const closed = await rig.untilRecord('dev.waybill.connection.closed.v1')
  const opened = await rig.untilRecord('dev.waybill.connection.opened.v1')
  expect(opened.data).toMatchObject({ server_name: 'app.example.test', alpn: ['h2'], pool: 'app', revision: 1 })
  expect(closed.data).toMatchObject({ bytes_quality: 'exact', close: { because: 'finished', by: 'client', phase: 'half_closed' } })
  expect(closed.data.connection_id).toBe(opened.data.connection_id)
})
