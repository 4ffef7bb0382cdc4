import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ownTables, problemsOf, type Tables } from './support/architecture/check.ts'
import { filesMin } from './support/architecture/rules.ts'
import { readSource } from './support/architecture/source.ts'

/** DESIGN.md, section 9: who may import whom, where globals and other people's code live. The checker is checked too. */

test('the sources keep to the architecture', () => {
  const paths = globSync('{events,projections,compliance,src,test,bench}/**/*.ts').map((path) => path.replaceAll('\\', '/'))
  const files = new Map(paths.toSorted().map((path) => [path, readFileSync(path, 'utf8')]))
  expect(problemsOf(files, { ...ownTables, filesMin })).toEqual([])
})

describe('the check fails', () => {
  const header = '/** What it is for. */\n'
  /** A tree without a problem. */
  const good: Readonly<Record<string, string>> = {
    'src/main.ts': `${header}import { serve } from './cli/serve.ts'\nserve()`,
    'src/cli/serve.ts': `${header}import { api } from '../api/app.ts'\nimport '../log/memory.ts'\nexport const serve = () => api`,
    'src/api/app.ts': `${header}import type { Live } from '../live/live.ts'\nexport const api: Live = 1`,
    'src/live/live.ts': `${header}import type { A } from '../../events/a.ts'\nimport type { L } from '../log/event-log.ts'\nexport type Live = A | L`,
    'src/log/event-log.ts': `${header}export type L = 1`,
    'src/log/memory.ts': `${header}import { now } from '../core/clock.ts'\nnow()`,
    'src/core/clock.ts': `${header}export const now = () => new Date().getTime()`,
    'events/a.ts': `${header}export type A = 1`,
  }
  const usesClock = `import '../core/clock.ts'`
  const problems = (changes: Readonly<Record<string, string>>, tables?: Tables) => problemsOf(new Map(Object.entries({ ...good, ...changes })), tables)

  test('not on a tree that keeps to the rules', () => {
    expect(problems({})).toEqual([])
  })

  test.each([
    ['import', `import { api } from '../api/app.ts'`],
    ['import over lines', `import {\n  api,\n} from '../api/app.ts'`],
    ['type import', `import type { api } from '../api/app.ts'`],
    ['inline type import', `import { type api } from "../api/app.ts"`],
    ['namespace import', `import * as api from '../api/app.ts'`],
    ['side-effect import', `import '../api/app.ts'`],
    ['re-export', `export { api } from '../api/app.ts'`],
    ['re-export of everything', `export * from '../api/app.ts'\nexport const x = 1`],
    ['dynamic import', `export const x = await import('../api/app.ts')`],
    ['dynamic import over lines', 'export const x = await import(\n  `../api/app.ts`,\n)'],
    ['import in a type', `export type X = import('../api/app.ts').Api`],
    ['worker', `new Worker(new URL('../api/app.ts', import.meta.url))`],
    ['import behind a text with quotes', `const s = "it's"; const r = /['"\`]/; const t = \`\${"'"}\`\nimport '../api/app.ts'`],
  ])('on a forbidden %s', (_what, code) => {
    expect(problems({ 'src/core/clock.ts': `${header}${code}\nexport const now = () => 1` })).toEqual([
      expect.stringMatching(/^src\/core\/clock\.ts:\d+: imports src\/api\/app\.ts; src\/core may see events, projections$/),
    ])
  })

  test.each([
    ['events may see nothing', 'events/a.ts', `import '../projections/p.ts'`, { 'projections/p.ts': header }],
    ['compliance never sees src', 'compliance/c.ts', `import '../src/core/clock.ts'`, { 'test/c.ts': `${header}import '../compliance/c.ts'` }],
    ['the data path sees the port, not an adapter', 'src/proxy/p.ts', `import '../log/memory.ts'`, { 'test/c.ts': `${header}import '../src/proxy/p.ts'` }],
    ['main sees the command line only', 'src/main.ts', `import './api/app.ts'\nimport './cli/serve.ts'`, {}],
  ])('on a layer that reaches too far: %s', (_what, path, code, others) => {
    expect(problems({ [path]: `${header}${code}`, ...others }).filter((problem) => / may see /.test(problem))).toHaveLength(1)
  })

  test.each([
    ['kafkajs outside of its home', 'src/log/memory.ts', `import { Kafka } from 'kafkajs'`, 'whose home is src/log/kafka'],
    ['a plugin of fastify outside of the API', 'src/log/memory.ts', `import x from '@fastify/static'`, 'whose home is src/api'],
    ['a package without a home', 'src/api/app.ts', `import x from 'left-pad'`, 'which has no home'],
    ['a part of a package', 'src/log/memory.ts', `import x from 'fastify/types'`, 'whose home is src/api'],
    ['node: in a projection', 'projections/p.ts', `import 'node:vm'`, 'which has no home'],
    ['node:crypto in another event file', 'events/a.ts', `import { hash } from 'node:crypto'`, 'whose home is events/chain.ts'],
    ['the file system outside of src/core/system', 'src/core/clock.ts', `import fs from 'node:fs/promises'`, 'whose home is src/core/system'],
    ['more of node:net than addresses', 'src/core/clock.ts', `import { isIP, connect } from 'node:net'`, 'whose home is src/core/system'],
    ['all of node:net', 'src/core/clock.ts', `import net from 'node:net'`, 'whose home is src/core/system'],
    ['randomness of node:crypto', 'src/log/memory.ts', `import { createHash, randomUUID as id } from 'node:crypto'`, 'that only src/core/system may'],
    ['all of node:crypto', 'src/log/memory.ts', `import crypto from 'node:crypto'`, 'that only src/core/system may'],
    ['something computed', 'src/log/memory.ts', 'await import(name)', 'computed'],
    ['something computed in a template', 'src/log/memory.ts', 'await import(`./${name}.ts`)', 'computed'],
  ])('on %s', (_what, path, code, sentence) => {
    const others = { 'test/p.ts': `${header}import '../projections/p.ts'`, 'projections/p.ts': header }
    const found = problems({ ...others, [path]: `${header}${code}\n${good[path] ?? ''}` })
    expect(found).toEqual([expect.stringContaining(sentence)])
  })

  test('not on harmless parts of node:net', () => {
    expect(problems({ 'src/core/clock.ts': `${header}import { isIP, type isIPv4 as four } from 'node:net'\nexport const now = () => isIP` })).toEqual([])
  })

  test.each([
    ['process.env', 'const x = process.env.HOME'],
    ['process.env', 'const { env } = process'],
    ['process.env', `const x = process['env']`],
    ['Date', 'const x = Date.now()'],
    ['Date', 'const x = new Date()'],
    ['a timer', 'setTimeout(run, 1)'],
    ['a timer', 'const wait = setInterval'],
    ['a timer', 'setImmediate(run)'],
    ['performance', 'performance.now()'],
    ['Math.random', 'const x = `${Math.random()}`'],
    ['AbortSignal.timeout', 'AbortSignal.timeout(1)'],
    ['the global crypto', 'crypto.randomUUID()'],
    ['globalThis', `const x = globalThis['set' + 'Timeout']`],
    ['require', `const x = require('node:fs')`],
  ])('on %s outside of its home: %s', (what, code) => {
    expect(problems({ 'src/log/memory.ts': `${header}${code}\n${usesClock}` })).toEqual([
      expect.stringContaining(`src/log/memory.ts:2: uses ${what}, which only`),
    ])
  })

  test.each([
    ['comments', '// Date.now()\n/* setTimeout(x) */'],
    ['texts', `const a = 'Date.now()', b = "it's setTimeout(x)", c = \`Math.random() \${'process.env'}\``],
    ['regular expressions', String.raw`const a = /Date.now\(\)['"]/, b = x / 2 / y`],
    ['names that only look like them', 'const x = clock.setTimeout(1), upDate = Dates, y = { performance: 1 }, z = this.#setTimeout'],
  ])('not on %s', (_what, code) => {
    expect(problems({ 'src/log/memory.ts': `${header}${code}\n${usesClock}` })).toEqual([])
  })

  test.each([
    ['a file that nothing imports', { 'src/core/lost.ts': header }, 'src/core/lost.ts: nothing leads to it'],
    [
      'files that only import each other',
      { 'src/core/lost.ts': `${header}import './other.ts'`, 'src/core/other.ts': `${header}import './lost.ts'` },
      'src/core/lost.ts: nothing leads to it',
    ],
    ['an import of what is not there', { 'src/log/memory.ts': `${header}import './gone.ts'` }, 'imports src/log/gone.ts, which is not there'],
    ['a file outside of every layer', { 'lib/x.ts': header, 'test/x.ts': `${header}import '../lib/x.ts'` }, 'lib/x.ts: belongs to no layer'],
    ['a default export', { 'events/a.ts': `${header}export default 1` }, 'events/a.ts:2: a default export'],
    ['a default export by another way', { 'events/a.ts': `${header}const a = 1\nexport { a as default }` }, 'events/a.ts:3: a default export'],
    ['a barrel by name', { 'events/index.ts': header, 'test/x.ts': `${header}import '../events/index.ts'` }, 'events/index.ts: a barrel'],
    ['a barrel by content', { 'src/log/memory.ts': `${header}export * from './event-log.ts'\nexport { type L } from './event-log.ts'` }, 'only passes on'],
    ['.only', { 'test/a.test.ts': `${header}test.only('x', () => {})` }, 'test/a.test.ts:2: .only'],
    ['.only with a table', { 'test/a.test.ts': `${header}describe.each([1]).only; describe.concurrent.only('x')` }, '.only'],
    ['.skip without a reason', { 'test/a.test.ts': `${header}\ntest.skip('x', () => {})` }, 'test/a.test.ts:3: a skip without a reason'],
    ['a coverage comment', { 'events/a.ts': header + ['/* v8', 'ignore next */'].join(' ') }, 'a coverage comment'],
    ['a long spec', { 'test/a.test.ts': `${header}${'x()\n'.repeat(400)}` }, 'has 401 lines'],
    ['a long file', { 'events/a.ts': `${header}${'x()\n'.repeat(320)}` }, 'has 321 lines'],
    ['a file without a header', { 'events/a.ts': `export type A = 1` }, 'has no comment'],
  ])('on %s', (_what, changes, sentence) => {
    expect(problems(changes)).toEqual(expect.arrayContaining([expect.stringContaining(sentence)]))
  })

  test('not on a skip with a reason', () => {
    for (const code of [
      `// root reads everything\ntest.skipIf(isRoot)('x', () => {})`,
      `test.skipIf(isRoot)('x (skipped for root, who reads everything)', () => {})`,
      `const skipReason = 'no vectors here'\ntest('x', (context) => context.skip(skipReason))\ndescribe.skipIf(missing)('y', () => {})`,
    ]) {
      expect(problems({ 'test/a.test.ts': `${header}${code}` })).toEqual([])
    }
  })

  test('not on a long file that is on the list, but on one that is and need not be', () => {
    const tables: Tables = { ...ownTables, longFiles: { 'events/a.ts': 'a table of names' } }
    expect(problems({ 'events/a.ts': `${header}${'x()\n'.repeat(320)}` }, tables)).toEqual([])
    expect(problems({}, tables)).toEqual(['events/a.ts: is on the list of long files and is not long'])
  })

  test('on having checked nothing, or little', () => {
    expect(problemsOf(new Map())).toEqual(['only 0 files were found: nothing was checked'])
    expect(problems({}, { ...ownTables, filesMin })).toEqual([expect.stringContaining('nothing was checked')])
  })
})

describe('reading a source', () => {
  test('keeps every place where it is', () => {
    const text = `import { a } from './a.ts' // 'x'\nconst b = \`1\${{ c: '}' }.c}2\` + /[/'"]/.source /* "\n*/ + 'd\\'' + 😀`
    const { code, imports } = readSource('a.ts', text)
    expect(code).toHaveLength(text.length)
    expect(code.split('\n')).toHaveLength(text.split('\n').length)
    expect(code.replaceAll(/\s+/g, ' ')).toBe("import { a } from ' ' const b = ` ${{ c: ' ' }.c} ` + / /.source + ' ' + 😀")
    expect(imports).toEqual([{ specifier: './a.ts', line: 1, names: ['a'] }])
  })

  test('division is no regular expression', () => {
    expect(readSource('a.ts', `const x = a / b; import './c.ts'; y(z) / 2`).imports.map(({ specifier }) => specifier)).toEqual(['./c.ts'])
  })

  test('finds in every file of this repository what Node finds', () => {
    const text = readFileSync('test/architecture.test.ts', 'utf8')
    expect(readSource('x', text).imports.map(({ specifier }) => specifier)).toEqual([
      'node:fs', 'vitest', './support/architecture/check.ts', './support/architecture/rules.ts', './support/architecture/source.ts',
    ])
  })
})
