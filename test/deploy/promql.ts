/**
 * Reads out of a PromQL expression which series it asks for and which labels it groups by, so that a test can look them
 * up. Whether the expression is PromQL at all is promtool's to say.
 */

export interface Selector {
  readonly metric: string
  readonly matchers: readonly Matcher[]
  /** `[5m]` and the like. */
  readonly isRange: boolean
  /** The function or aggregation whose brackets it stands in directly; null: in none. */
  readonly within: string | null
}

export interface Matcher {
  readonly label: string
  readonly operator: string
  readonly value: string
}

export interface Reading {
  readonly selectors: readonly Selector[]
  /** Of by, without, on, ignoring, group_left and group_right. */
  readonly labels: readonly string[]
}

const tokenPattern = /\s+|#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|(?:\d+\.?\d*|\.\d+)[a-z0-9]*|[A-Za-z_:][\w:]*|[=!]~|[=!<>]=|./gsu
const wordPattern = /^[A-Za-z_:]/
const labelLists = ['by', 'group_left', 'group_right', 'ignoring', 'on', 'without']
const operators = ['and', 'atan2', 'bool', 'inf', 'nan', 'offset', 'or', 'unless']

export function readPromql(expression: string): Reading {
  const tokens = (expression.match(tokenPattern) ?? []).filter((token) => !/^(?:\s|#)/.test(token))
  const selectors: Selector[] = []
  const labels: string[] = []
  const brackets: (string | null)[] = []
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]!
    const next = tokens[at + 1]
    if (token === '(') brackets.push(calledBefore(tokens, at))
    else if (token === ')') brackets.pop()
    else if (token === '{') throw new Error(`a selector without a metric in ${expression}`)
    else if (labelLists.includes(token) && next === '(') {
      const end = tokens.indexOf(')', at)
      labels.push(...tokens.slice(at + 2, end).filter((each) => each !== ','))
      at = end
    } else if (wordPattern.test(token) && !operators.includes(token.toLowerCase()) && next !== '(' && !labelLists.includes(next ?? '')) {
      const end = next === '{' ? tokens.indexOf('}', at) : at
      selectors.push({
        metric: token,
        matchers: matchersOf(tokens.slice(at + 2, end)),
        isRange: tokens[end + 1] === '[',
        within: brackets.at(-1) ?? null,
      })
      at = end
    } else if (token === '[') at = tokens.indexOf(']', at)
  }
  return { labels, selectors }
}

/** `sum by (pool) (` and `rate(` name what comes in the bracket. */
function calledBefore(tokens: readonly string[], at: number): string | null {
  const before = tokens[at - 1] ?? ''
  if (before === ')') {
    const list = tokens[tokens.lastIndexOf('(', at - 1) - 1] ?? ''
    const called = tokens[tokens.lastIndexOf('(', at - 1) - 2] ?? ''
    return ['by', 'without'].includes(list) && wordPattern.test(called) ? called : null
  }
  return wordPattern.test(before) && !operators.includes(before.toLowerCase()) && !labelLists.includes(before) ? before : null
}

function matchersOf(tokens: readonly string[]): Matcher[] {
  const matchers: Matcher[] = []
  for (let at = 0; at + 2 < tokens.length; at += 4) {
    matchers.push({ label: tokens[at]!, operator: tokens[at + 1]!, value: tokens[at + 2]!.slice(1, -1) })
  }
  return matchers
}
