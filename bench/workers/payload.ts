/**
 * What client and backend exchange after the hello: a ServerHello first, then opaque bytes in the framing of TLS
 * application data, so that a proxy that looks at what TLS says in the clear sees nothing odd.
 */

const recordBytes = 16_384
const recordsPerChunk = 16
const headerBytes = 5

/** One write of a bulk transfer: 256 KiB of whole records. Transfers are multiples of `recordBytes`. */
export const bulkChunk = Buffer.concat(Array.from({ length: recordsPerChunk }, () => applicationData(recordBytes)))
/** The backend's whole answer to a hello in the connection measure. */
export const shortReply = Buffer.concat([serverHello(), applicationData(100)])
/** What a client answers when it has finished its handshake: ChangeCipherSpec and a Finished, as they look from outside. */
export const clientFinish = Buffer.concat([Buffer.from('140303000101', 'hex'), applicationData(58)])
/** What a bulk transfer from the backend begins with: as long as one record. */
export const bulkBeginning = Buffer.concat([serverHello(), applicationData(recordBytes - serverHello().length)])

/** TLS 1.3, TLS_AES_128_GCM_SHA256, x25519 (RFC 8446, section 4.1.3). */
function serverHello(): Buffer {
  const extensions = Buffer.concat([Buffer.from('002b0002030400330024001d0020', 'hex'), Buffer.alloc(32, 0x5a)])
  const body = Buffer.concat([
    Buffer.from('0303', 'hex'), Buffer.alloc(32, 0x5a), Buffer.from('00130100', 'hex'), uint16(extensions.length), extensions,
  ])
  const head = Buffer.from([0x16, 3, 3, 0, 0, 2, 0, 0, 0])
  head.writeUInt16BE(body.length + 4, 3)
  head.writeUIntBE(body.length, 6, 3)
  return Buffer.concat([head, body])
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff)
}

function applicationData(bytes: number): Buffer {
  const record = Buffer.alloc(bytes, 0x5a)
  record.set([0x17, 0x03, 0x03])
  record.writeUInt16BE(bytes - headerBytes, 3)
  return record
}
