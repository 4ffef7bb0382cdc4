import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TemporaryFolder } from '../../support/waybill.ts'

/** The checker is what other tests believe, so it is shown here what it has to find. */

const source = '/clusters/c/nodes/n1/e/connections'
const storedMs = 1_000

interface Message {
  readonly key: string
  readonly offset: number
  readonly partition: number
  readonly value: string
}

interface Entry {
  readonly at: number
  readonly name: string | null
  readonly port: number
  readonly saw: 'backend' | 'client'
}

/** Three connections, one after the other: opened, closed, opened, ... */
function history(): Message[] {
  const messages: Message[] = []
  let prevhash = Buffer.alloc(32).toString('base64')
  for (let sequence = 0; sequence < 6; sequence++) {
    const connection = sequence >> 1
    const opened = { client: { port: 100 + connection }, local_address: { port: 200 + connection }, server_name: `c${connection}.test` }
    const value = JSON.stringify({
      data: { connection_id: String(connection), ...(sequence % 2 === 0 ? opened : { note: 'ü\n'.repeat(2) }) },
      partitionkey: 'n1', prevhash, sequence: String(sequence).padStart(20, '0'), source,
      type: `dev.waybill.connection.${sequence % 2 === 0 ? 'opened' : 'closed'}.v1`,
    })
    messages.push({ key: 'n1', offset: sequence, partition: 3, value })
    prevhash = createHash('sha256').update(`\0${value}`).digest('base64')
  }
  return messages
}

function ledger(): Entry[] {
  return [0, 1, 2].flatMap((connection): Entry[] => [
    { at: storedMs, name: `c${connection}.test`, port: 200 + connection, saw: 'backend' },
    { at: storedMs, name: `c${connection}.test`, port: 100 + connection, saw: 'client' },
  ])
}

function check(messages: readonly Message[], entries: readonly Entry[] = ledger(), cutBytes = 0): { status: number | null; stdout: string } {
  using folder = new TemporaryFolder()
  const [dump, book] = [join(folder.path, 'dump'), join(folder.path, 'ledger')]
  const bytes = Buffer.concat(messages.map(({ key, offset, partition, value }) =>
    Buffer.from(`w.connections ${partition} ${offset} ${storedMs} ${Buffer.byteLength(key)} ${Buffer.byteLength(value)}\n${key}${value}\n`)))
  writeFileSync(dump, bytes.subarray(0, bytes.length - cutBytes))
  writeFileSync(book, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
  const script = join(import.meta.dirname, 'check-records.py')
  const { status, stdout } = spawnSync('python3', [script, '--ledger', book, '--stored-first', dump], { encoding: 'utf8' })
  return { status, stdout }
}

test('nothing is found in records that are as they should be, repeats among them', () => {
  const messages = history()
  const { status, stdout } = check([...messages.slice(0, 4), ...messages.slice(1, 4), ...messages.slice(4)])
  expect(stdout).toContain('9 messages, 3 of them repeats; 1 sources; 3 connections opened')
  expect(stdout).toContain('ledger: 3 clients and 3 backends got a byte')
  expect(stdout).toMatch(/\n0 violations\n$/)
  expect(status).toBe(0)
})

interface Falsified {
  readonly messages?: Message[]
  readonly entries?: Entry[]
  /** Bytes missing at the end of the dump. */
  readonly cut?: number
  readonly found: readonly string[]
}

const falsified: Record<string, Falsified> = {
  'a record dropped from the middle': { messages: history().toSpliced(3, 1), found: ['gap: 1', 'not closed once: 1'] },
  'the first record dropped': { messages: history().slice(1), found: ['gap: 1', 'never opened: 1', 'byte without a record: 2'] },
  'the last record dropped': { messages: history().slice(0, -1), found: ['not closed once: 1'] },
  'a byte changed': {
    messages: changed(2, (value) => value.replace('"port":101', '"port":109')),
    found: ['chain: 1', 'byte without a record: 1'],
  },
  'the prevhash of the first record changed': { messages: changed(0, (value) => value.replace('"AAAA', '"BAAA')), found: ['chain: 2'] },
  'two records swapped': { messages: swapped(2, 3), found: ['order: 1'] },
  'other bytes under a number': {
    messages: [...history(), { ...history()[2]!, offset: 6, value: history()[2]!.value.replace(':101', ':109') }],
    found: ['contradiction: 1'],
  },
  'a record in another partition': { messages: replaced(4, { partition: 1 }), found: ['place: 1'] },
  'another key': { messages: replaced(4, { key: 'n2' }), found: ['key: 1'] },
  'what is no record': { messages: [...history(), { key: '', offset: 6, partition: 3, value: 'hello' }], found: ['record: 1'] },
  'a dump that was cut': { cut: 5, found: ['framing: 1', 'not closed once: 1'] },
  'a client with a byte and no record': {
    entries: [...ledger(), { at: storedMs, name: 'c3.test', port: 103, saw: 'client' }],
    found: ['byte without a record: 1'],
  },
  'a backend with a byte that only its port names': {
    entries: [...ledger(), { at: storedMs, name: null, port: 299, saw: 'backend' }],
    found: ['byte without a record: 1'],
  },
  'a byte before its record': {
    entries: ledger().map((entry, index) => (index === 2 ? { ...entry, at: storedMs - 1 } : entry)),
    found: ['byte before its record: 1'],
  },
  'an empty ledger': { entries: [], found: ['nothing: 1'] },
  'no message at all': { messages: [], found: ['byte without a record: 6', 'nothing: 1'] },
}

test.each(Object.entries(falsified))('it finds %s', (_, { cut, entries, found, messages }) => {
  const { status, stdout } = check(messages ?? history(), entries, cut)
  const violations = stdout.split('\n').filter((line) => line.startsWith('VIOLATION '))
  expect(violations.map((line) => line.slice('VIOLATION '.length)).toSorted()).toEqual(found.toSorted())
  expect(status).toBe(1)
})

function changed(index: number, change: (value: string) => string): Message[] {
  return replaced(index, { value: change(history()[index]!.value) })
}

function replaced(index: number, by: Partial<Message>): Message[] {
  return history().map((message, at) => (at === index ? { ...message, ...by } : message))
}

function swapped(one: number, other: number): Message[] {
  const messages = history()
  return messages.map((message, at) => (at === one ? messages[other]! : at === other ? messages[one]! : message))
}
