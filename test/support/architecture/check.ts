import { posix } from 'node:path'
import { globals, homes, layers, linesMax, longFiles, roots, shipped, testLinesMax, type Home, type Layer } from './rules.ts'
import { lineOf, readSource, type Import, type Source } from './source.ts'

/** Holds sources against the rules. Every problem is one line: where, what, and what the rule is. */

export interface Tables {
  readonly layers: readonly Layer[]
  readonly homes: readonly Home[]
  readonly roots: readonly string[]
  readonly longFiles: Readonly<Record<string, string>>
  readonly filesMin: number
}

export const ownTables: Tables = { layers, homes, roots, longFiles, filesMin: 0 }

/** `files`: text by path, relative to the repository, with forward slashes. */
export function problemsOf(files: ReadonlyMap<string, string>, tables: Tables = ownTables): string[] {
  if (files.size <= tables.filesMin) return [`only ${files.size} files were found: nothing was checked`]
  const sources = [...files].map(([path, text]) => readSource(path, text))
  return [
    ...sources.flatMap((source) => [
      ...importProblems(source, files, tables),
      ...globalProblems(source),
      ...formProblems(source, tables),
    ]),
    ...unreachable(sources, tables),
    ...staleExceptions(files, tables),
  ]
}

function within(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`))
}

function layerOf(path: string, tables: Tables): Layer | undefined {
  return tables.layers.filter((layer) => within(path, [layer.path])).toSorted((one, other) => other.path.length - one.path.length)[0]
}

function importProblems(source: Source, files: ReadonlyMap<string, string>, tables: Tables): string[] {
  const layer = layerOf(source.path, tables)
  if (layer === undefined) return [`${source.path}: belongs to no layer; DESIGN.md, section 9, says which there are`]
  return source.imports.flatMap((each) => {
    const where = `${source.path}:${each.line}`
    if (each.specifier === null) return within(source.path, shipped) ? [`${where}: imports something computed, which can't be checked`] : []
    if (!each.specifier.startsWith('.')) return foreignProblem(source.path, where, each, tables)
    const target = targetOf(source.path, each.specifier)
    if (!target.endsWith('.ts')) return []
    if (!files.has(target)) return [`${where}: imports ${target}, which is not there`]
    if (within(target, [layer.path, ...layer.sees])) return []
    return [`${where}: imports ${target}; ${layer.path} may see ${layer.sees.join(', ') || 'nothing'}`]
  })
}

function targetOf(path: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(path), specifier))
}

function foreignProblem(path: string, where: string, { names, specifier }: Import, tables: Tables): string[] {
  if (!within(path, shipped) || specifier === null) return []
  const home = tables.homes.find(({ module }) => isModule(specifier, module))
  if (home === undefined) return [`${where}: imports ${specifier}, which has no home`]
  const { guarded, parts } = home
  if (within(path, home.homes)) {
    if (guarded === undefined || within(path, guarded.homes)) return []
    if (names !== null && !names.some((name) => guarded.names.test(name))) return []
    return [`${where}: imports parts of ${specifier} that only ${guarded.homes.join(', ')} may`]
  }
  if (parts && names !== null && names.every((name) => parts.names.includes(name)) && within(path, parts.homes)) return []
  return [`${where}: imports ${specifier}, whose home is ${home.homes.join(', ')}`]
}

/** `node:fs` and `node:fs/promises` are two, `fastify` and `fastify/types.d.ts` are one. */
function isModule(specifier: string, module: string): boolean {
  if (module.endsWith('*')) return specifier.startsWith(module.slice(0, -1))
  return specifier === module || (!module.startsWith('node:') && specifier.startsWith(`${module}/`))
}

function globalProblems({ path, text, code }: Source): string[] {
  if (!within(path, shipped)) return []
  return globals.flatMap(({ what, pattern, homes: allowed }) => {
    if (within(path, allowed)) return []
    return [...code.matchAll(pattern)].map(
      ({ index }) => `${path}:${lineOf(text, index)}: uses ${what}, which only ${allowed.join(', ') || 'nobody'} may`,
    )
  })
}

function formProblems({ path, text, code }: Source, tables: Tables): string[] {
  const problems: string[] = []
  const found = (pattern: RegExp, subject: string, sentence: string): void => {
    for (const { index } of subject.matchAll(pattern)) problems.push(`${path}:${lineOf(text, index)}: ${sentence}`)
  }
  found(/\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/g, code, 'a default export has no name to search for')
  found(/\/[/*]\s*(?:istanbul|c8|v8)\s+ignore\b/g, text, 'a coverage comment hides bugs')
  found(/\b(?:test|it|describe|suite|bench)(?:\.\w+)*\.only\b/g, code, '.only leaves the other tests out')
  for (const { index } of code.matchAll(/\b(?:test|it|describe|suite)(?:\.\w+)*\.(?:skip|skipIf|todo|fails)\b/g)) {
    if (!hasReason(text, index)) problems.push(`${path}:${lineOf(text, index)}: a skip without a reason in a comment above it`)
  }
  if (/(?:^|\/)index\.ts$/.test(path)) problems.push(`${path}: a barrel; import from where it is`)
  else if (isBarrel(code)) problems.push(`${path}: only passes on what others export; import from where it is`)
  const lines = text.trimEnd().split('\n').length
  const most = linesMaxOf(path)
  if (lines > most && tables.longFiles[path] === undefined) problems.push(`${path}: has ${lines} lines, more than ${most}; divide it`)
  if (!isSpec(path) && !hasHeader(text)) problems.push(`${path}: has no comment near its top that says what it is for`)
  return problems
}

/** A comment on the same line or right above, or a text on the line that says so, or one reason for the whole file. */
function hasReason(text: string, at: number): boolean {
  const lines = text.slice(0, text.indexOf('\n', at)).split('\n')
  if (/\bskipReason\b/.test(text) || /'[^']*\bskipped\b/.test(lines.at(-1)!)) return true
  return [lines.at(-1), lines.at(-2)].some((line) => line !== undefined && /\/\/\s*\S+\s+\S+/.test(line))
}

function linesMaxOf(path: string): number {
  return within(path, ['test']) ? testLinesMax : linesMax
}

/** What its name and the titles in it say already. */
function isSpec(path: string): boolean {
  return path.endsWith('.test.ts')
}

function isBarrel(code: string): boolean {
  const rest = code.replaceAll(/\bexport\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^{}]*\})\s+from\s*['"] *['"];?/g, '')
  return rest !== code && rest.trim() === ''
}

/** Before anything but imports, declarations without a body and the line that the comment belongs to. */
const headerWithinLines = 40

function hasHeader(text: string): boolean {
  return text.split('\n').slice(0, headerWithinLines).some((line) => /^\s*(?:\/\*\*|\/\/)\s*\S|^\s*\*\s+\S/.test(line) && !/^\s*\/\/\s*(?:@ts|oxlint|eslint)/.test(line))
}

function unreachable(sources: readonly Source[], tables: Tables): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const reached = new Set<string>()
  const toVisit = sources.map(({ path }) => path).filter((path) => within(path, tables.roots))
  for (let path = toVisit.pop(); path !== undefined; path = toVisit.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    for (const { specifier } of byPath.get(path)?.imports ?? []) {
      if (specifier?.startsWith('.')) toVisit.push(targetOf(path, specifier))
    }
  }
  return sources.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path}: nothing leads to it from ${tables.roots.join(', ')}`)
}

function staleExceptions(files: ReadonlyMap<string, string>, tables: Tables): string[] {
  return Object.keys(tables.longFiles)
    .filter((path) => (files.get(path)?.trimEnd().split('\n').length ?? 0) <= linesMaxOf(path))
    .map((path) => `${path}: is on the list of long files and is not long`)
}
