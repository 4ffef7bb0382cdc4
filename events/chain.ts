import { hash } from 'node:crypto'

/** `prevhash` of the first record of a source: 32 zero bytes in base64. */
export const zeroHash = Buffer.alloc(32).toString('base64')

/**
 * RFC 6962 leaf hash of a record's exact bytes without the newline: SHA-256(0x00 || bytes), in base64.
 * It is `prevhash` of the next record of the source, `basis` of the next control change, and the Merkle leaf.
 */
export function leafHash(record: string | Uint8Array): string {
  if (typeof record === 'string') return hash('sha256', `\0${record}`, 'base64')
  const leaf = new Uint8Array(record.length + 1)
  leaf.set(record, 1)
  return hash('sha256', leaf, 'base64')
}
