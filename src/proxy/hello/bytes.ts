/** Big-endian reads and printable forms of client bytes. A read outside the message is a bug of ours, never a value. */
import { InvariantViolation } from '../../core/errors.ts'

export function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new InvariantViolation('the hello parser read outside its message')
  return byte
}

export function uint16At(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)
}

export function uint24At(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 16) | uint16At(bytes, at + 1)
}

export function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`
}

export function hex8(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}

const space = 0x20
const backslash = 0x5c
const tilde = 0x7e

/** Reversible and safe in any log: printable ASCII stays, everything else and the backslash itself becomes `\xNN`. */
export function printable(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    const byte = byteAt(bytes, at)
    if (byte <= space || byte > tilde || byte === backslash) return escaped(bytes, start, end)
  }
  return bytes.toString('latin1', start, end)
}

function escaped(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = byteAt(bytes, at)
    const plain = byte > space && byte <= tilde && byte !== backslash
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return text
}

/** The front of what `printable` gave, without half an escape at its end. */
export function cutPrintable(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : text.slice(0, charactersMax).replace(/\\(?:x[0-9a-f]?)?$/, '')
}
