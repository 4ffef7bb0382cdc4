import fc from 'fast-check'

/** Texts of any code units, also halves of characters, and often of those that a terminal, JSON or a line reader obeys. */
const nasty = ['\u001b[2J', '\u009b31m', '\u202e', '\u2028', '\n', '\r', '\r\n', '\u0000', '\u007f', '"', '\\', '\ud800', '\udfff', '__proto__', '\u{e0041}']

export const anyText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...nasty), fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), fc.string({ maxLength: 8 })), { maxLength: 24 })
  .map((parts) => parts.join(''))
