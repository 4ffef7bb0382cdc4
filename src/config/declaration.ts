import { ListenerName, type Change } from '../../events/values.ts'
import { sharedListener } from '../../projections/listeners.ts'
import { sha256Hex } from '../core/system/digest.ts'
import { problemsOf, sentenceOf, unknownKey } from './declaration-problems.ts'
import { DeclarationText } from './declaration-schema.ts'
import { problemsMax, readYaml, type FileProblem, type Path, type Place, type YamlText } from './declaration-yaml.ts'
import { nearest } from './nearest.ts'
import { settingKeys, settingName, settingTable, type DeclaredSetting, type SettingKey } from './settings.ts'

/**
 * Reads a declaration file: YAML with pools, backends, listeners and settings, as an operator keeps it in version control.
 * Every problem of the file is found at once, each with its line and column. What pools may claim, and what listeners
 * may do, is decided by the deciders.
 */

export interface Declaration {
  /** Absolute path: what owns the objects. */
  readonly file: string
  /** SHA-256 of the bytes, hexadecimal. */
  readonly digest: string
  /** Goes into every record that the file causes. */
  readonly change: Change
  /** Null: the file says nothing of pools, so those it owns stay as they are. */
  readonly pools: NonNullable<DeclarationText['pools']> | null
  /** By listener, `shared` or `pools/<name>`. Null: the file says nothing of listeners, so they stay as they are. */
  readonly listeners: NonNullable<DeclarationText['listeners']> | null
  /** Sorted by name. */
  readonly settings: readonly DeclaredSetting[]
  /** Where something of the file stands: `['pools', 0, 'listen']`. */
  readonly placeOf: (path: Path) => Place
}

export type DeclarationReading =
  | { readonly declaration: Declaration }
  | { readonly problems: readonly FileProblem[] }

/** A thousand pools with ten backends each are half of it. */
export const declarationBytesMax = 1_048_576
/** As long as a record spells the owner of an object. */
export const declarationPathMax = 1_000
const settingTextMax = 1_000

export function readDeclaration(bytes: Uint8Array, file: string): DeclarationReading {
  if (bytes.length > declarationBytesMax) {
    return wholeFile(`The file has ${bytes.length} bytes; the most is ${declarationBytesMax}. Split it into several files.`)
  }
  const text = textOf(bytes)
  if (text === null) return wholeFile('The file is not UTF-8.')
  const read = readYaml(text)
  if ('problems' in read) return read
  const { yaml } = read
  if (yaml.value === null || yaml.value === undefined) {
    return wholeFile('The file declares nothing. Write "pools: []" if that is meant: what it declared before is then removed.')
  }
  const parsed = DeclarationText.safeParse(yaml.value, { error: sentenceOf })
  const settings = readDeclaredSettings(yaml, file)
  const problems = [
    ...(parsed.success ? namedTwice(parsed.data, yaml) : problemsOf(parsed.error, DeclarationText, yaml)),
    ...unknownListeners(yaml),
    ...settings.problems,
  ]
  if (!parsed.success || problems.length > 0) return { problems: firstOf(problems.toSorted(byPlace)) }
  const { change, listeners, pools } = parsed.data
  return {
    declaration: {
      file,
      pools: pools ?? null,
      listeners: listeners ?? null,
      change: change ?? { approved_by: null, reason: null, requested_by: null, ticket: null },
      digest: sha256Hex(bytes),
      placeOf: (path) => yaml.placeOf(path),
      settings: settings.values,
    },
  }
}

/** `file:line:column: sentence`, one a line. */
export function problemLines(file: string, problems: readonly FileProblem[]): string {
  return problems.map(({ column, line, sentence }) => `${file}:${line}:${column}: ${sentence}`).join('\n')
}

function wholeFile(sentence: string): DeclarationReading {
  return { problems: [{ line: 1, column: 1, sentence }] }
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

function byPlace(one: FileProblem, other: FileProblem): number {
  return one.line - other.line || one.column - other.column
}

/** Enough to work on; all of them could be more than anybody's answer may hold. */
function firstOf(problems: readonly FileProblem[]): readonly FileProblem[] {
  const surplus = problems.length - problemsMax
  const last = problems[problemsMax - 1]
  if (surplus <= 0 || last === undefined) return problems
  return [...problems.slice(0, problemsMax - 1), { ...last, sentence: `${last.sentence} ${surplus} more problems follow.` }]
}

function namedTwice({ pools = [] }: DeclarationText, yaml: YamlText): FileProblem[] {
  const first = new Map<string, number>()
  return pools.flatMap(({ name }, index) => {
    const earlier = first.get(name)
    if (earlier === undefined) {
      first.set(name, index)
      return []
    }
    const { line } = yaml.placeOf(['pools', earlier, 'name'])
    return [{ ...yaml.placeOf(['pools', index, 'name']), sentence: `Pool "${name}" is declared in line ${line} already.` }]
  })
}

/** By form; whether a pool has a listener of its own is known when the file is applied. */
function unknownListeners(yaml: YamlText): FileProblem[] {
  return keysOf(yaml.value, 'listeners').flatMap((listener) => {
    if (ListenerName.safeParse(listener).success) return []
    const near = nearestListener(listener, yaml)
    const help = near === null ? 'write "shared", or "pools/NAME" for that of a pool.' : `did you mean "${near}"?`
    return [{ ...yaml.keyPlaceOf(['listeners', listener]), sentence: `"${listener}" is no listener; ${help}` }]
  })
}

function nearestListener(written: string, yaml: YamlText): string | null {
  const pools = namesOfPools(yaml.value)
  if (pools.includes(written)) return `pools/${written}`
  return nearest(written, [sharedListener, ...pools.map((name) => `pools/${name}`)])
}

/** As far as they can be read. */
function namesOfPools(value: unknown): string[] {
  const { pools } = (value ?? {}) as { readonly pools?: unknown }
  return Array.isArray(pools) ? pools.map((pool: { readonly name?: unknown } | null) => pool?.name).filter((name) => typeof name === 'string') : []
}

/** Which file is read is not for the file to say. */
const declarable: readonly SettingKey[] = settingKeys.filter((key) => key !== 'config')

function readDeclaredSettings(yaml: YamlText, file: string): { readonly values: DeclaredSetting[]; readonly problems: FileProblem[] } {
  const values: DeclaredSetting[] = []
  const problems: FileProblem[] = []
  for (const name of keysOf(yaml.value, 'settings')) {
    const path = ['settings', name]
    const place = yaml.placeOf(path)
    const key = declarable.find((candidate) => settingName(candidate) === name)
    const value = yaml.writtenAt(path)
    if (key === undefined) {
      problems.push({ ...yaml.keyPlaceOf(path), sentence: unknownKey(name, declarable.map(settingName), 'settings') })
      continue
    }
    const problem = settingProblem(key, value)
    if (problem === null) values.push({ name, value: value!, place: `${file}:${place.line}:${place.column}` })
    else problems.push({ ...place, sentence: `settings.${name}: ${problem}.` })
  }
  return { problems, values: values.toSorted((one, other) => (one.name < other.name ? -1 : 1)) }
}

function settingProblem(key: SettingKey, written: string | null): string | null {
  if (written === null || written === '') return `it has no value of its own; write ${settingTable[key].form}, or leave the line out`
  if (!written.isWellFormed()) return 'it is not well-formed Unicode'
  if (written.length > settingTextMax) return `it has more than ${settingTextMax} characters`
  const parsed = settingTable[key].schema.safeParse(written)
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? 'it is not valid')
}

function keysOf(value: unknown, key: string): string[] {
  const inner = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : null
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.keys(inner) : []
}
