/**
 * What client and backend exchange after the hello: opaque bytes in the framing of TLS application data, so that a
 * proxy that looks at record headers sees nothing odd.
 */

const recordBytes = 16_384
const recordsPerChunk = 16
const headerBytes = 5

/** One write of a bulk transfer: 256 KiB of whole records. Transfers are multiples of `recordBytes`. */
export const bulkChunk = Buffer.concat(Array.from({ length: recordsPerChunk }, () => applicationData(recordBytes)))
/** The backend's whole answer to a hello in the connection measure. */
export const shortReply = applicationData(100)

function applicationData(bytes: number): Buffer {
  const record = Buffer.alloc(bytes, 0x5a)
  record.set([0x17, 0x03, 0x03])
  record.writeUInt16BE(bytes - headerBytes, 3)
  return record
}
