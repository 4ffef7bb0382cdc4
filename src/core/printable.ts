/** Text from the network and from other people, made safe for a terminal and for one line. */

/** Controls (also the 8-bit ones, which some terminals obey), invisible and bidirectional marks, lone surrogates, line ends. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

export function printable(text: string): string {
  return text.replaceAll(unprintable, (character) => {
    const code = character.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** JSON, in which whatever a terminal could obey is written as an escape. It parses to the same value. */
export function unprintableEscaped(json: string): string {
  return json.replaceAll(unprintable, (character) =>
    // Of a character outside of the basic plane both halves.
    Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join(''),
  )
}

/** One such line. */
export function jsonLine(value: unknown): string {
  return `${unprintableEscaped(JSON.stringify(value))}\n`
}
