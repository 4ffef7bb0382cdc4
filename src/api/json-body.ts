/**
 * Reads a request's JSON more strictly than JSON.parse, whose errors often have no position: says line and column,
 * and takes neither a name twice nor `__proto__`, so that the record can't mean something else than what was sent.
 */

export type JsonReading =
  | { readonly value: unknown }
  | { readonly problem: string; readonly line: number; readonly column: number }

const nestingMax = 32

class SyntaxProblem extends Error {
  readonly at: number
  constructor(at: number, sentence: string) {
    super(sentence)
    this.at = at
  }
}

export function readJson(text: string): JsonReading {
  try {
    new Scanner(text).document()
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const before = text.slice(0, error.at).split('\n')
    return { problem: error.message, line: before.length, column: before.at(-1)!.length + 1 }
  }
  return { value: JSON.parse(text) as unknown }
}

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#fail('the text goes on after the end of the value')
  }

  #value(depth: number): void {
    this.#space()
    if (depth > nestingMax) this.#fail(`more than ${nestingMax} levels are nested`)
    const first = this.#text[this.#at]
    if (first === undefined) this.#fail('the text ends where a value should be')
    if (first === '{') this.#object(depth)
    else if (first === '[') this.#array(depth)
    else if (first === '"') this.#string('a string is not closed or has a bad escape or control character')
    else if (!this.#take(/true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9A-Za-z.])/y)) {
      this.#fail('this is not a JSON value')
    }
  }

  #object(depth: number): void {
    const names = new Set<string>()
    this.#at += 1
    if (this.#take(/[ \t\n\r]*\}/y)) return
    do {
      this.#space()
      const start = this.#at
      if (this.#text[start] !== '"') this.#fail('the name of a field in double quotes should be here')
      this.#string('the name of a field is not closed or has a bad escape')
      const name = JSON.parse(this.#text.slice(start, this.#at)) as string
      if (name === '__proto__') this.#fail('"__proto__" is not a field of any request', start)
      if (names.has(name)) this.#fail(`the field ${JSON.stringify(name)} is there twice`, start)
      names.add(name)
      if (!this.#take(/[ \t\n\r]*:/y)) this.#fail('":" should be here')
      this.#value(depth + 1)
    } while (this.#take(/[ \t\n\r]*,/y))
    if (!this.#take(/[ \t\n\r]*\}/y)) this.#fail('"," or "}" should be here')
  }

  #array(depth: number): void {
    this.#at += 1
    if (this.#take(/[ \t\n\r]*\]/y)) return
    do this.#value(depth + 1)
    while (this.#take(/[ \t\n\r]*,/y))
    if (!this.#take(/[ \t\n\r]*\]/y)) this.#fail('"," or "]" should be here')
  }

  #string(otherwise: string): void {
    // RFC 8259 forbids exactly these control characters inside a string.
    // oxlint-disable-next-line no-control-regex
    const plain = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y
    if (!this.#take(plain)) this.#fail(otherwise)
  }

  #space(): void {
    this.#take(/[ \t\n\r]*/y)
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #fail(sentence: string, at?: number): never {
    if (at === undefined) this.#space()
    throw new SyntaxProblem(at ?? this.#at, sentence)
  }
}
