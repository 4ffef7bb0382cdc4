import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Alias, type Document, type Scalar } from 'yaml'

/**
 * Reads YAML 1.2 into plain values and remembers where each one stands, so that whatever is wrong with a value later is
 * said with its line and column. Stricter than YAML: no tags, no merge keys, no second document, no key twice.
 */

export type Path = readonly (string | number)[]

/** Both count from 1; columns are UTF-16 units, as editors count. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface FileProblem extends Place {
  readonly sentence: string
}

export interface YamlText {
  readonly value: unknown
  /** Where the value at the path stands, or the closest thing around it. */
  placeOf(path: Path): Place
  /** Where the key stands that the path ends in. */
  keyPlaceOf(path: Path): Place
  /** A plain or quoted scalar as it was written, so that `007` stays `007`; null: not a scalar. */
  writtenAt(path: Path): string | null
}

/** Far above a declaration that fits its size; aliases can't multiply it past this. */
const valuesMax = 200_000
/** A declaration has five levels. */
const nestingMax = 16
export const problemsMax = 100
/** Finding what an alias means takes a look at the whole document. */
const aliasesMax = 100

interface Entry {
  readonly key: number
  readonly value: number
  readonly written: string | null
}

export function readYaml(text: string): { readonly yaml: YamlText } | { readonly problems: readonly FileProblem[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    version: '1.2', schema: 'core', merge: false, resolveKnownTags: false, prettyErrors: false, logLevel: 'error', lineCounter: lines,
    // Comparing every key with every other takes minutes for a large map: the walk below uses a set.
    uniqueKeys: false,
  })
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const problems: FileProblem[] = [...document.errors, ...document.warnings]
    .slice(0, problemsMax)
    .map(({ message, pos }) => ({ ...placeAt(pos[0]), sentence: withHint(message, lineAt(text, pos[0])) }))
  if (document.directives?.yaml.version !== '1.2') {
    problems.push({ line: 1, column: 1, sentence: 'Only YAML 1.2 is read; leave the %YAML line out.' })
  }
  if (problems.length > 0) return { problems }
  const walk = new Walk(document)
  const value = walk.value(document.contents, [], 0)
  if (walk.problems.length > 0) {
    return { problems: walk.problems.map(({ at, sentence }) => ({ ...placeAt(at), sentence })) }
  }
  return { yaml: yamlText(value, walk.entries, placeAt) }
}

function yamlText(value: unknown, entries: ReadonlyMap<string, Entry>, placeAt: (offset: number) => Place): YamlText {
  const closest = (path: Path): Entry => {
    for (let length = path.length; length >= 0; length -= 1) {
      const entry = entries.get(keyOf(path.slice(0, length)))
      if (entry !== undefined) return entry
    }
    return { key: 0, value: 0, written: null }
  }
  return {
    value,
    placeOf: (path) => placeAt(closest(path).value),
    keyPlaceOf: (path) => placeAt(closest(path).key),
    writtenAt: (path) => entries.get(keyOf(path))?.written ?? null,
  }
}

function keyOf(path: Path): string {
  return JSON.stringify(path)
}

/** Turns nodes into values, one by one, counting what aliases multiply. */
class Walk {
  readonly entries = new Map<string, Entry>()
  readonly problems: { readonly at: number; readonly sentence: string }[] = []
  readonly #document: Document
  #values = 0
  #aliases = 0

  constructor(document: Document) {
    this.#document = document
  }

  value(node: unknown, path: Path, key: number): unknown {
    this.#values += 1
    if (this.#values > valuesMax || this.problems.length >= problemsMax) {
      if (this.#values === valuesMax + 1) this.#problem(key, `The file has more than ${valuesMax} values.`)
      return null
    }
    const at = offsetOf(node) ?? key
    if (path.length > nestingMax) return this.#problem(at, `More than ${nestingMax} levels are nested.`)
    if (isAlias(node)) return this.#aliased(node, path, key)
    this.entries.set(keyOf(path), { key, value: at, written: isScalar(node) ? writtenOf(node) : null })
    if (isMap(node)) return this.#map(node.items, path)
    if (isSeq(node)) return node.items.map((item, index) => this.value(item, [...path, index], offsetOf(item) ?? at))
    return isScalar(node) ? node.value : null
  }

  #aliased(alias: Alias, path: Path, key: number): unknown {
    const at = offsetOf(alias) ?? key
    this.#aliases += 1
    if (this.#aliases > aliasesMax) {
      return this.#aliases === aliasesMax + 1 ? this.#problem(at, `The file has more than ${aliasesMax} aliases.`) : null
    }
    const target = alias.resolve(this.#document)
    if (target === undefined) return this.#problem(at, `There is no anchor &${alias.source} before this alias.`)
    return this.value(target, path, key)
  }

  /** Without a prototype, so that no key can mean more than itself. */
  #map(items: readonly { readonly key: unknown; readonly value: unknown }[], path: Path): object {
    const values = Object.create(null) as Record<string, unknown>
    const seen = new Set<string>()
    for (const { key, value } of items) {
      const at = offsetOf(key) ?? offsetOf(value) ?? 0
      const name = isScalar(key) ? writtenOf(key) : null
      if (name === null) this.#problem(at, 'A key must be a plain word.')
      else if (name === '__proto__') this.#problem(at, '"__proto__" is not a key of any declaration.')
      else if (seen.has(name)) this.#problem(at, `The key "${name}" stands here for the second time.`)
      else values[name] = this.value(value, [...path, name], at)
      if (name !== null) seen.add(name)
    }
    return values
  }

  #problem(at: number, sentence: string): null {
    if (this.problems.length < problemsMax) this.problems.push({ at, sentence })
    return null
  }
}

function writtenOf({ source, value }: Scalar): string | null {
  if (typeof source === 'string') return source
  return typeof value === 'string' ? value : null
}

function offsetOf(node: unknown): number | null {
  return isNode(node) && node.range ? node.range[0] : null
}

function lineAt(text: string, offset: number): string {
  return text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? ''
}

/** The one mistake that everybody makes: an IPv6 address reads as a list. */
function withHint(message: string, line: string): string {
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`
  if (!/:\s+\[[0-9a-fA-F:]*\]:\d/.test(line)) return sentence
  return `${sentence} An address in brackets needs quotes: "[::]:8443".`
}
