import { describe, expect, test } from 'vitest'
import { definitions } from '../../events/catalog.ts'
import { printable } from '../../src/core/printable.ts'
import { recordLine } from '../../src/cli/record-line.ts'

function record(type: string, data: unknown, more: object = {}): string {
  return JSON.stringify({ time: '2026-11-24T08:00:00.000Z', type, subject: 'x/y', source: '/clusters/c', data, ...more })
}

describe('a record as a line', () => {
  test('names the client and why a connection ended', () => {
    const definition = definitions.find(({ type }) => type === 'dev.waybill.connection.closed.v1')
    const line = recordLine(record(definition!.type, definition!.examples[0]))
    expect(line).toBe('2026-11-24T08:00:00.000Z  connection.closed       x/y  by=203.0.113.7  outcome=finished')
  })

  test.each(definitions.map(({ examples, type }) => [type, examples[0]] as const))('%s is one printable line', (type, example) => {
    const line = recordLine(record(type, example, { revision: 7 }))
    expect(line).toContain('revision=7')
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(line).not.toMatch(/undefined|null|\[object/)
  })

  test('a type of a newer version, and what is no record', () => {
    expect(recordLine(record('dev.waybill.pool.imagined.v9', {}))).toContain('pool.imagined.v9')
    expect(recordLine('{"broken')).toBe('(not a record) {"broken')
  })

  test('hostile bytes do not reach the terminal', () => {
    const hostile = 'a\u001b[2J\r\n\u009b31m\u202eevil\u0000\u007f'
    expect(recordLine(record('dev.waybill.pool.created.v1', { actor: { id: hostile } }))).toMatch(
      /by=a\\x1b\[2J\\x0d\\x0a\\x9b31m\\u\{202e\}evil\\x00\\x7f$/,
    )
    expect(recordLine('not JSON \u001b]0;title\u0007')).toBe('(not a record) not JSON \\x1b]0;title\\x07')
  })
})

test('printable leaves text of every script alone', () => {
  expect(printable('Grüße, 世界 🚚')).toBe('Grüße, 世界 🚚')
  expect(printable('\ud800')).toBe('\\u{d800}')
})
