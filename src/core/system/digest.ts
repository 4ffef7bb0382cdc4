import { hash } from 'node:crypto'

/** SHA-256 of bytes, hexadecimal: what a file is recognised by. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/** SHA-256 of a text in UTF-8, base64: as records write a hash. */
export function sha256Base64(text: string): string {
  return hash('sha256', text, 'base64')
}
