import { z } from 'zod'
import type { FileProblem, Path, YamlText } from './declaration-yaml.ts'
import { nearest } from './nearest.ts'

/** Says what is wrong with the values of a declaration file: one sentence for each, with its line and column. */

export function problemsOf(error: z.ZodError, schema: z.ZodType, yaml: YamlText): FileProblem[] {
  return error.issues.flatMap((issue) => issueProblems(issue, schema, yaml))
}

/** What a value without a sentence of its own is told. For `safeParse`. */
export function sentenceOf(issue: z.core.$ZodRawIssue): string | undefined {
  const number = issue.code === 'too_small' || issue.code === 'too_big' ? issue.origin === 'number' || issue.origin === 'int' : false
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${words[issue.expected] ?? `a ${issue.expected}`}${quotesHelp(issue)}`
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`
    case 'too_small':
      return `must ${number ? 'be' : 'have'} at least ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `must ${number ? 'be' : 'have'} at most ${issue.maximum}${unitOf(issue.origin)}`
    default:
      return undefined
  }
}

/** As YAML calls them, for people who write it. */
const words: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a map of keys and values',
  record: 'a map of keys and values',
  string: 'text',
}

function quotesHelp({ expected, input }: { readonly expected: string; readonly input?: unknown }): string {
  return expected === 'string' && (typeof input === 'number' || typeof input === 'boolean') ? ': put it in quotes' : ''
}

function unitOf(origin: string): string {
  return { string: ' characters', array: ' entries' }[origin] ?? ''
}

function issueProblems(issue: z.core.$ZodIssue, schema: z.ZodType, yaml: YamlText): FileProblem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path)
    return issue.keys.map((key) => ({ ...yaml.keyPlaceOf([...path, key]), sentence: unknownKey(key, known, nameOf(path)) }))
  }
  return [{ ...yaml.placeOf(path), sentence: `${nameOf(path)} ${issue.message}.` }]
}

export function unknownKey(key: string, known: readonly string[], where: string): string {
  const near = nearest(key, known)
  const help = near === null ? `it may have ${known.join(', ')}` : `did you mean "${near}"?`
  return `"${key}" is no key of ${where}; ${help}${help.endsWith('?') ? '' : '.'}`
}

/** `pools[3].backends[0].url`, or "the file". */
function nameOf(path: Path): string {
  if (path.length === 0) return 'the file'
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('').slice(1)
}

function knownKeys(schema: z.ZodType, path: Path): string[] {
  let inner: unknown = schema
  for (const step of path) {
    const outer = unwrapped(inner)
    if (outer instanceof z.ZodObject) inner = outer.shape[String(step)]
    else if (outer instanceof z.ZodArray) inner = outer.element
    else if (outer instanceof z.ZodRecord) inner = outer.valueType
    else return []
  }
  const object = unwrapped(inner)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

function unwrapped(schema: unknown): unknown {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodNullable) inner = inner.unwrap()
  return inner
}
