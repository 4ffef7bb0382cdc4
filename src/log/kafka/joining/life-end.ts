/** Whether a node's process life has ended in order, as far as its records in operations were read. */

const startedType = '"type":"dev.waybill.node.started.'
const stoppedType = '"type":"dev.waybill.node.stopped.'

/** After one more of its records, `before` it being known. What ends a life need not be its last record. */
export function hasEnded(bytes: Uint8Array, before: boolean): boolean {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return record.includes(stoppedType) || (before && !record.includes(startedType))
}
