/**
 * RFC 8785 (JSON Canonicalization Scheme), written from the RFC and without JSON.stringify, so that it can judge
 * records that were made with it. Throws for what has no canonical form.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`${value} has no canonical form`)
    // Section 3.2.2.3: ECMAScript's Number::toString, which already writes -0 as 0.
    return String(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object') throw new Error(`${typeof value} has no canonical form`)
  // Section 3.2.3: by UTF-16 code units, which is how JavaScript compares strings.
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0))
  return `{${entries.map(([key, inner]) => `${quoted(key)}:${canonicalJson(inner)}`).join(',')}}`
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"', '\\': '\\\\', '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r',
}

/** Section 3.2.2.2. */
function quoted(text: string): string {
  let out = '"'
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (code >= 0xd800 && code <= 0xdfff) throw new Error('an unpaired surrogate has no canonical form')
    const short = shortEscapes[character]
    out += short ?? (code < 0x20 ? `\\u${code.toString(16).padStart(4, '0')}` : character)
  }
  return `${out}"`
}
