import { expect, test } from 'vitest'
import { pattern, Stand } from '../support/link-stand.ts'
import { helloMessage, record, records, serverName } from '../support/tls-hellos.ts'
import { ownHellos, wireOf } from '../support/tls-hellos-vectors.ts'
import { forwarded } from './forwarding.ts'

const hello = wireOf(ownHellos().find(({ id }) => id === 'openssl/early data')!)

test('what lies behind a hello goes with it: early data, pipelined records, and what is no TLS', async () => {
  for (const behind of [record(pattern(900, 0), 0x17), records(helloMessage()), Buffer.from('GET / HTTP/1.0\r\n\r\n')]) {
    const sent = Buffer.concat([hello, behind])
    expect(await forwarded([sent])).toEqual({ bytes: sent, early: 0 })
    expect(await forwarded([hello, behind])).toEqual({ bytes: sent, early: 0 })
  }
})

test('a second hello, as after HelloRetryRequest, is data like any other: same backend, whatever name it bears', async () => {
  const stand = await new Stand().start()
  stand.client.peerSends(hello)
  stand.permit.resolve('go')
  await stand.settle()
  const second = records(helloMessage({ extensions: [serverName('other.example')] }), [50])
  for (const byte of second) {
    stand.client.peerSends(Buffer.from([byte]))
    stand.client.deliver()
  }
  stand.backend!.peerReads(1e9)
  await stand.settle()
  expect(Buffer.from(stand.backend!.peerGot).equals(Buffer.concat([hello, second]))).toBe(true)
  expect(stand.network.sockets).toHaveLength(2)
})

test('half a hello, and what is none, dial nobody', async () => {
  expect(await forwarded([hello.subarray(0, hello.length - 1)])).toEqual({ bytes: null, early: 0 })
  expect(await forwarded([Buffer.from('SSH-2.0-x\r\n')])).toEqual({ bytes: null, early: 0 })
})
