import { describe, expect, test } from 'vitest'
import { HandshakeBuffer } from '../../../src/proxy/hello/handshake-buffer.ts'
import { HelloParser } from '../../../src/proxy/hello/parser.ts'
import { extension, handshake, helloMessage, record, records, serverName, uint16 } from '../../support/tls-hellos.ts'
import { bytesUntilVerdict, helloOf, judge, judgeByteByByte, judgeChunks, limits } from '../../support/tls-hellos-judge.ts'

const message = helloMessage()

/** The verdict, which must be the same byte by byte, and must come exactly with byte number `at`. */
function decidedAt(at: number, bytes: Uint8Array, within = limits) {
  const verdict = judge(bytes, within)
  expect(judgeByteByByte(bytes, within)).toEqual(verdict)
  expect(judge(bytes.subarray(0, at), within)).toEqual(verdict)
  expect(bytesUntilVerdict(bytes, within)).toBe(at)
  return verdict
}

describe('the first bytes', () => {
  test('every first byte is judged at once, except those that may begin TLS or SSLv2', () => {
    for (let first = 0; first < 256; first++) {
      const kind = judge(Buffer.from([first])).kind
      expect([first, kind]).toEqual([first, first === 0x16 || first >= 0x80 ? 'incomplete' : 'not_tls'])
    }
  })

  test('a second byte other than 3 is not TLS', () => {
    for (let second = 0; second < 256; second++) {
      const kind = judge(Buffer.from([0x16, second])).kind
      expect([second, kind]).toEqual([second, second === 3 ? 'incomplete' : 'not_tls'])
    }
  })

  test('the minor version of a record is not looked at', () => {
    for (const minor of [0, 1, 2, 3, 4, 255]) {
      expect(judge(record(message, 0x16, 0x0300 | minor)).kind).toBe('hello')
    }
  })

  test('the SSLv2 format needs type 1 and version 0.2 or 3.x', () => {
    expect(decidedAt(4, Buffer.from('802e0103010015', 'hex')).kind).toBe('sslv2')
    expect(decidedAt(4, Buffer.from('ff2e0100020015', 'hex')).kind).toBe('sslv2')
    expect(decidedAt(3, Buffer.from('802e0203010015', 'hex')).kind).toBe('not_tls')
    expect(decidedAt(4, Buffer.from('802e0104010015', 'hex')).kind).toBe('not_tls')
  })

  test('HTTP and SSH are turned away with their first byte', () => {
    expect(decidedAt(1, Buffer.from('GET / HTTP/1.1\r\n')).kind).toBe('not_tls')
    expect(decidedAt(1, Buffer.from('SSH-2.0-x\r\n')).kind).toBe('not_tls')
  })
})

describe('records', () => {
  test('an empty or oversized record is malformed with its fifth byte', () => {
    expect(decidedAt(5, Buffer.from('160301000001', 'hex')).kind).toBe('malformed')
    expect(decidedAt(5, Buffer.from('160303400101', 'hex')).kind).toBe('malformed')
    expect(decidedAt(5, Buffer.from('160303ffff01', 'hex')).kind).toBe('malformed')
    expect(judge(Buffer.from('160303400001', 'hex')).kind).toBe('incomplete')
  })

  test('no other record may come before the message is complete', () => {
    const firstRecord = record(message.subarray(0, 20))
    for (const type of [0x00, 0x14, 0x15, 0x17, 0x80]) {
      const wire = Buffer.concat([firstRecord, record(Buffer.from([2, 40]), type)])
      expect(decidedAt(firstRecord.length + 1, wire).kind).toBe('malformed')
    }
  })

  test('later records are held to the same header rules', () => {
    const firstRecord = record(message.subarray(0, 20))
    const rest = message.subarray(20)
    expect(decidedAt(25 + 2, Buffer.concat([firstRecord, record(rest, 0x16, 0x0401)])).kind).toBe('malformed')
    expect(decidedAt(25 + 5, Buffer.concat([firstRecord, record(Buffer.alloc(0)), record(rest)])).kind).toBe('malformed')
    const oversized = Buffer.concat([firstRecord, Buffer.from('1603014001', 'hex'), rest])
    expect(decidedAt(25 + 5, oversized).kind).toBe('malformed')
  })

  test('one-byte records, which cut even the handshake header', () => {
    const wire = records(message, [1])
    const hello = helloOf(decidedAt(wire.length, wire))
    expect(hello.recordCount).toBe(message.length)
    expect(hello.wireBytes).toBe(6 * message.length)
    expect(hello.helloBytes).toBe(message.length)
    expect(hello.matchName).toBe('api.vector.example')
  })

  test('a hello inside a hello is not taken for one, though it fills a record and a chunk', () => {
    const inner = helloMessage({ extensions: [serverName('inner.example')] })
    const outer = helloMessage({ extensions: [extension(21, inner), serverName('outer.example')] })
    const at = outer.indexOf(inner)
    const start = record(outer.subarray(0, at))
    const middle = record(outer.subarray(at, at + inner.length))
    const end = record(outer.subarray(at + inner.length))
    expect(judge(middle)).toMatchObject({ hello: { matchName: 'inner.example' } })
    const verdict = judgeChunks([start, middle, end])
    expect(verdict).toMatchObject({ hello: { matchName: 'outer.example', recordCount: 3 } })
    expect(judge(Buffer.concat([start, middle, end]))).toEqual(verdict)
    expect(judgeChunks([start, Buffer.concat([middle, end])])).toEqual(verdict)
  })

  test('as many records as allowed, and one more', () => {
    const wire = records(message, [20])
    const count = Math.ceil(message.length / 20)
    expect(judge(wire, { ...limits, recordsMax: count }).kind).toBe('hello')
    const verdict = decidedAt(25 * (count - 1) + 1, wire, { ...limits, recordsMax: count - 1 })
    expect(verdict.kind).toBe('too_large')
  })
})

describe('the handshake message', () => {
  test('any type but ClientHello is malformed with its first byte', () => {
    expect(decidedAt(6, records(helloMessage({ type: 2 }))).kind).toBe('malformed')
    expect(decidedAt(6, records(helloMessage({ type: 0 }))).kind).toBe('malformed')
  })

  test('the longest message is read, and one byte more is too large before it has come', () => {
    const helloBytesMax = message.length - 4
    expect(decidedAt(5 + message.length, records(message), { ...limits, helloBytesMax }).kind).toBe('hello')
    const verdict = decidedAt(9, records(message), { ...limits, helloBytesMax: helloBytesMax - 1 })
    expect(verdict.kind).toBe('too_large')
  })

  test('a length above the limit is judged before its value is believed', () => {
    const claim = Buffer.concat([Buffer.from([1, 0xff, 0xff, 0xff])])
    expect(decidedAt(9, record(claim)).kind).toBe('too_large')
  })

  test('an empty message is malformed, not waited for', () => {
    expect(decidedAt(9, record(handshake(1, Buffer.alloc(0)))).kind).toBe('malformed')
  })
})

describe('after the hello', () => {
  test('what follows is ignored: in the same record, in others, or garbage', () => {
    const alone = judge(records(message))
    const wire = records(message)
    expect(judge(Buffer.concat([wire, Buffer.alloc(65_536, 0xff)]))).toEqual(alone)
    expect(judge(Buffer.concat([wire, record(Buffer.from([1]), 0x14), record(Buffer.alloc(0))]))).toEqual(alone)
    expect(judge(record(Buffer.concat([message, message])))).toEqual(alone)
    const cutInside = records(Buffer.concat([message, Buffer.alloc(10, 7)]), [message.length - 1])
    expect(judge(cutInside).kind).toBe('hello')
  })

  test('a verdict is final', () => {
    const parser = new HelloParser(limits)
    const verdict = parser.push(records(message))
    expect(parser.push(Buffer.from('GET /'))).toBe(verdict)
    const refusing = new HelloParser(limits)
    const refusal = refusing.push(Buffer.from('GET /'))
    expect(refusing.push(records(message))).toBe(refusal)
  })
})

describe('what the parser keeps', () => {
  test('an empty chunk says nothing', () => {
    const parser = new HelloParser(limits)
    expect(parser.push(Buffer.alloc(0)).kind).toBe('incomplete')
    expect(parser.push(records(message)).kind).toBe('hello')
  })

  test('a chunk may be reused by its owner as soon as push has returned', () => {
    const wire = records(message, [50])
    const expected = judge(wire)
    const parser = new HelloParser(limits)
    const lent = Buffer.alloc(7)
    let verdict = parser.push(Buffer.alloc(0))
    for (let at = 0; at < wire.length; at += lent.length) {
      const bytes = wire.copy(lent, 0, at)
      verdict = parser.push(lent.subarray(0, bytes))
      lent.fill(0xff)
    }
    expect(verdict).toEqual(expected)
    const whole = Buffer.from(records(message))
    const hello = judge(whole)
    whole.fill(0xff)
    expect(hello).toEqual(judge(records(message)))
  })

  test('room grows with what arrived, never with what a length claims', () => {
    const buffer = new HandshakeBuffer()
    expect(buffer.roomBytes).toBe(0)
    const claim = Buffer.concat([Buffer.from([1, 1]), uint16(0), Buffer.alloc(60_000)])
    for (let arrived = 0; arrived < claim.length; arrived += 600) {
      buffer.append(claim, arrived, arrived + 600 > claim.length ? claim.length : arrived + 600)
      expect(buffer.roomBytes).toBeLessThanOrEqual(2 * (arrived + 600))
    }
    buffer.release()
    expect(buffer.roomBytes).toBe(0)
  })
})
