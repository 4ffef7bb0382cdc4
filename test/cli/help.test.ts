import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { buildProgram } from '../../src/cli/program.ts'

/** Every verb and verb of a verb, by the words that call it. */
function all(command: Command, path: readonly string[]): (readonly [string, Command])[] {
  return [[path.join(' '), command], ...command.commands.flatMap((inner) => all(inner, [...path, inner.name()]))]
}

const program = buildProgram()
const verbs = all(program, ['waybill'])
const leaves = verbs.filter(([, command]) => command.commands.length === 0)

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp()
  return text
}

describe('help', () => {
  test('there are all the verbs', () => {
    expect(program.commands.map((command) => command.name()).toSorted()).toEqual([
      'apply', 'backends', 'check', 'completion', 'connections', 'demo', 'diff', 'doctor', 'events', 'kafka', 'listeners', 'log', 'node', 'nodes', 'pools', 'serve', 'state', 'trail',
    ])
  })

  test.each(verbs)('%s --help says what it does and has an example that calls it', (path, command) => {
    const help = helpOf(command)
    expect(command.description()).not.toBe('')
    const [, examples] = help.split(/\nExamples?:\n/)
    expect(examples, help).toContain(`  ${path === 'waybill' ? 'waybill ' : path}`)
  })

  test.each(leaves)('the examples of %s have only flags that it has', (path, command) => {
    const [, examples = ''] = helpOf(command).split(/\nExamples?:\n/)
    const known = command.options.flatMap(({ long }) => long ?? [])
    const own = examples.replaceAll(/\\\n/g, ' ').split('\n').filter((line) => line.includes(path))
    for (const line of own) {
      const [call = ''] = line.slice(line.indexOf(path)).split(/[|>)]/)
      for (const word of call.split(/\s+/).filter((each) => each.startsWith('--'))) expect(known, line).toContain(word)
    }
  })

  test.each(leaves.filter(([path]) => !/ (?:demo|serve|completion)$/.test(path)))('%s has --json', (_path, command) => {
    expect(command.options.map(({ long }) => long)).toContain('--json')
  })

  test.each(leaves.filter(([path]) => !/ (?:demo|serve|completion|check|kafka topics|log copy|doctor)$/.test(path)))('%s asks --data or --api', (_path, command) => {
    expect(command.options.map(({ long }) => long)).toEqual(expect.arrayContaining(['--data', '--api']))
  })
})
