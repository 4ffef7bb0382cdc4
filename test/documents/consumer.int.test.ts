import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { definitions } from '../../events/catalog.ts'
import type { Stream } from '../../events/define.ts'
import { PoolRemoved } from '../../events/pool.ts'
import { RecordChain } from '../support/records.ts'
import { asyncApiText } from './asyncapi-text.ts'

/** docs/examples/consumer.py finds what it says it finds, in records that come to it over its standard input. */

const folder = mkdtempSync(join(tmpdir(), 'waybill-consumer-'))
const schemas = join(folder, 'asyncapi.yaml')
writeFileSync(schemas, asyncApiText())
afterAll(() => rmSync(folder, { recursive: true }))

interface Outcome {
  readonly shown: string
  readonly said: string
  readonly status: number | null
}

function consume(lines: readonly string[]): Outcome {
  const input = lines.map((line) => `${line}\n`).join('')
  const { status, stderr, stdout } = spawnSync('python3', ['docs/examples/consumer.py', '--stdin', '--asyncapi', schemas], { encoding: 'utf8', input })
  return { said: stderr, shown: stdout, status }
}

function linesOf(stream: Stream, chain = new RecordChain(stream)): string[] {
  const ofStream = definitions.filter((definition) => definition.stream === stream)
  return ofStream.flatMap((definition) => definition.examples.map((example) => chain.make(definition, example as object).text))
}

/** The line at a place changed, left out (null) or put there. */
function withLine(lines: readonly string[], at: number, ...instead: readonly string[]): string[] {
  return [...lines.slice(0, at), ...instead, ...lines.slice(at + 1)]
}

const connections = linesOf('connections')

test.each(['control', 'connections', 'operations'] as const)('records of every type of %s pass, repeats are left out', (stream) => {
  const lines = linesOf(stream)
  const { said, status } = consume([...lines, ...lines.slice(1), lines[0]!])
  expect(said).toContain(`${lines.length} records, ${lines.length} repeats left out`)
  expect(said).toContain('0 problems')
  expect(status).toBe(0)
})

test('connections are shown, and which changes are in force', () => {
  expect(consume(connections).shown).toMatch(/opened .*client=.* backend=.*\n(?:.*\n)*.*closed .*because=/)
  const chain = new RecordChain('control')
  const changes = linesOf('control', chain)
  const late = chain.make(PoolRemoved, PoolRemoved.examples[0], { revision: 2 }).text
  const { said, shown, status } = consume([...changes, late])
  expect(shown).toContain('revision=1 (in force)')
  expect(shown).toMatch(/revision=2 \(VOID, it lost the race\)\n$/)
  expect(said).toContain(`at revision ${chain.revision}, 1 changes are void; 0 problems`)
  expect(status).toBe(0)
})

describe('what is found', () => {
  test.each([
    ['a record that is missing', withLine(connections, 1), /records 1 to 1 are missing/],
    ['a byte that was changed', withLine(connections, 0, connections[0]!.replace('203.0.113.7', '203.0.113.8')), /its prevhash is not the hash of the record before it/],
    ['two that changed places', [connections[0]!, connections[2]!, connections[1]!], /it comes after later ones/],
    ['other bytes under the same number', [...connections, connections[1]!.replace('203.0.113.7', '203.0.113.8')], /it was there before with other bytes/],
    ['what is no record', [...connections, '{"type":"something.else"}'], /this is no record of Waybill/],
  ])('%s', (_, lines, problem) => {
    const { said, status } = consume(lines)
    expect(said).toMatch(problem)
    expect(status).toBe(1)
  })

  const canCompare = spawnSync('python3', ['-c', 'import jsonschema, yaml']).status === 0
  // The example itself goes without them, and says so.
  test.skipIf(!canCompare)('a record that does not fit its schema (needs the Python packages jsonschema and pyyaml)', () => {
    const { said, shown, status } = consume([connections[0]!.replace('"encrypted":true', '"encrypted":"yes"')])
    expect(said).toContain("data.encrypted: 'yes' is not ")
    expect(shown).toBe('')
    expect(status).toBe(1)
  })
})
