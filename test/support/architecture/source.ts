/**
 * Reads a TypeScript source as far as architecture rules need it, without a parser: TypeScript 7 has none for tools.
 * Comments, texts and regular expressions are blanked out, so that only code is searched; places stay the same.
 */

export interface Source {
  readonly path: string
  readonly text: string
  /** The text with comments and the insides of texts and regular expressions replaced by spaces. */
  readonly code: string
  readonly imports: readonly Import[]
}

export interface Import {
  /** As written; null for an `import()` of something that is not a plain text. */
  readonly specifier: string | null
  readonly line: number
  /** The named parts of an import or re-export with braces; null where everything comes along. */
  readonly names: readonly string[] | null
}

export function readSource(path: string, text: string): Source {
  const code = blank(text)
  return { path, text, code, imports: importsOf(text, code) }
}

export function lineOf(text: string, at: number): number {
  let line = 1
  for (let index = text.indexOf('\n'); index >= 0 && index < at; index = text.indexOf('\n', index + 1)) line += 1
  return line
}

/** After one of these a slash begins a regular expression; after anything else it divides. */
const beforeRegex = /(?:[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|delete|void|throw|new|do|else|await|yield))$/

function blank(text: string): string {
  const out = text.split('')
  const hide = (from: number, to: number): void => {
    for (let at = from; at < to; at += 1) if (out[at] !== '\n') out[at] = ' '
  }
  /** Depths of braces at which a `${` is open. */
  const templates: number[] = []
  let depth = 0
  let at = 0
  let code = ''
  while (at < text.length) {
    const two = text.slice(at, at + 2)
    const one = text[at]!
    let end = at + 1
    if (two === '//' || (at === 0 && two === '#!')) {
      end = endOf(text, '\n', at)
      hide(at, end)
    } else if (two === '/*') {
      end = endOf(text, '*/', at + 2) + 2
      hide(at, end)
    } else if (one === "'" || one === '"') {
      end = endOfText(text, at + 1, one)
      hide(at + 1, end - 1)
      code += 'x'
    } else if (one === '`' || (one === '}' && templates.at(-1) === depth)) {
      if (one === '}') templates.pop()
      end = endOfTemplatePart(text, at + 1)
      const opens = text[end - 1] === '{'
      hide(at + 1, opens ? end - 2 : end - 1)
      if (opens) templates.push(depth)
      code += opens ? '{' : 'x'
    } else if (one === '/' && beforeRegex.test(code.trimEnd())) {
      end = endOfRegex(text, at + 1)
      hide(at + 1, end - 1)
      code += 'x'
    } else {
      if (one === '{') depth += 1
      if (one === '}') depth -= 1
      code += one
    }
    if (code.length > 400) code = code.slice(-100)
    at = end
  }
  return out.join('')
}

function endOf(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from)
  return at < 0 ? text.length : at
}

function endOfText(text: string, from: number, quote: string): number {
  let at = from
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Behind the closing backtick, or behind the `${` that interrupts it. */
function endOfTemplatePart(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1
  return text[at] === '`' ? at + 1 : at + 2
}

function endOfRegex(text: string, from: number): number {
  let at = from
  let inClass = false
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true
    if (text[at] === ']') inClass = false
    at += text[at] === '\\' ? 2 : 1
  }
  return at + 1
}

/** `import … from`, `export … from`, `import 'x'`, `import('x')` (also in types) and `new URL('x', import.meta.url)`. */
const importPattern = /\bfrom\s*(?=['"])|\bimport\s*(?=['"])|\bimport\s*\(\s*|\bnew\s+URL\s*\(\s*(?=['"`][^)]*import\.meta\.url)/g

function importsOf(text: string, code: string): Import[] {
  const found: Import[] = []
  for (const match of code.matchAll(importPattern)) {
    const at = match.index + match[0].length
    const quote = text[at]!
    const plain = quote === "'" || quote === '"' || quote === '`'
    const end = plain ? code.indexOf(quote, at + 1) : -1
    const specifier = end < 0 ? null : text.slice(at + 1, end)
    const computed = specifier === null || (quote === '`' && specifier.includes('${'))
    found.push({ specifier: computed ? null : specifier, line: lineOf(text, match.index), names: namesBefore(code.slice(0, match.index)) })
  }
  return found
}

/** `import { a, type b as c } ` in front of `from`: the names as the other module has them. */
function namesBefore(code: string): readonly string[] | null {
  const braces = /\b(?:import|export)\s+(?:type\s+)?\{([^{}]*)\}\s*$/.exec(code)
  if (braces === null) return null
  const names = braces[1]!.split(',').map((name) => name.trim().replace(/^type\s+/, '').split(/\s+as\s+/)[0]!)
  return names.filter((name) => name !== '')
}
