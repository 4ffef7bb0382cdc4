import { isSecretName, redacted } from './redaction.ts'

/**
 * Whatever a caller puts beside a sentence, as plain values that make one bounded line: errors with their causes, nothing
 * too long, too deep or too many, no secret. Never throws.
 */

export type FieldValue = string | number | boolean | null | readonly FieldValue[] | FieldObject
export interface FieldObject {
  readonly [name: string]: FieldValue
}

const depthMax = 8
/** Of one object or list. */
const entriesMax = 64
/** Of one text. A stack with its causes is the longest that there is. */
const textMax = 8_192
/** Of all texts and names of a line together. */
const lineTextMax = 32_768
const causesMax = 4

/** `clean`: what a text may hold. */
export function plainFields(fields: object, clean: (text: string) => string): FieldObject {
  const writing = new Writing(clean)
  if (fields instanceof Error) return { error: writing.value('error', fields, 0) }
  const written = writing.value('fields', fields, 0)
  return typeof written === 'object' && written !== null && !Array.isArray(written) ? (written as FieldObject) : { fields: written }
}

export function cutText(text: string, most: number = textMax): string {
  return text.length <= most ? text.toWellFormed() : `${text.slice(0, most).toWellFormed()}... (${text.length - most} more)`
}

class Writing {
  readonly #clean: (text: string) => string
  #left = lineTextMax

  constructor(clean: (text: string) => string) {
    this.#clean = clean
  }

  object(entries: readonly (readonly [string, unknown])[], depth: number): FieldObject {
    const written: Record<string, FieldValue> = Object.create(null) as Record<string, FieldValue>
    for (const [name, value] of entries.slice(0, entriesMax)) {
      if (value === undefined || typeof value === 'function') continue
      written[this.#text(name)] = this.value(name, value, depth)
    }
    if (entries.length > entriesMax) written['more'] = entries.length - entriesMax
    return written
  }

  value(name: string, value: unknown, depth: number): FieldValue {
    if (isSecretName(name) && value !== null && typeof value !== 'boolean') return redacted
    try {
      return this.#plain(value, depth)
    } catch {
      // A getter or a toJSON of somebody else's.
      return '[unreadable]'
    }
  }

  #plain(value: unknown, depth: number): FieldValue {
    switch (typeof value) {
      case 'string': return this.#text(value)
      case 'boolean': return value
      case 'number': return Number.isFinite(value) ? value : String(value)
      case 'bigint': case 'symbol': return this.#text(String(value))
      case 'object': break
      default: return null
    }
    if (value === null) return null
    if (depth >= depthMax) return '[deeper]'
    if (value instanceof Error) return this.#error(value, depth)
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.#plain((value.toJSON as () => unknown)(), depth + 1)
    if (value instanceof Map) return this.object([...value].map(([key, its]) => [String(key), its]), depth + 1)
    if (Array.isArray(value) || value instanceof Set) return this.#list([...value as Iterable<unknown>], depth)
    return this.object(Object.entries(value), depth + 1)
  }

  #list(items: readonly unknown[], depth: number): FieldValue {
    const written = items.slice(0, entriesMax).map((item) => this.value('', item, depth + 1))
    return items.length > entriesMax ? [...written, `[${items.length - entriesMax} more]`] : written
  }

  /** `stack` has those of the causes, too, as nobody reads the one without the other. */
  #error(error: Error, depth: number): FieldObject {
    const own = Object.entries(error).filter(([name]) => !['cause', 'errors', 'message', 'name', 'stack'].includes(name))
    const cause = error.cause === undefined ? undefined : this.#cause(error.cause, depth)
    const errors: unknown = error instanceof AggregateError ? error.errors : undefined
    return this.object([
      ['type', error.name], ['message', error.message], ...own, ['cause', cause], ['errors', errors], ['stack', stackOf(error)],
    ], depth + 1)
  }

  #cause(cause: unknown, depth: number): unknown {
    if (!(cause instanceof Error)) return cause
    const { name, message, cause: deeper } = cause
    const code = 'code' in cause ? cause.code : undefined
    return { type: name, message, code, cause: deeper === undefined || depth >= depthMax ? undefined : this.#cause(deeper, depth + 1) }
  }

  #text(text: string): string {
    // Cleaned as a whole, or a cut could hide how a secret looks; but not for megabytes of it.
    const cut = cutText(this.#clean(text.slice(0, 4 * textMax)), Math.min(textMax, Math.max(this.#left, 0)))
    this.#left -= cut.length
    return cut
  }
}

function stackOf(error: Error): string {
  const stacks: string[] = []
  for (let at: unknown = error; at instanceof Error && stacks.length <= causesMax; at = at.cause) {
    stacks.push(at.stack ?? `${at.name}: ${at.message}`)
  }
  return stacks.join('\ncaused by: ')
}
