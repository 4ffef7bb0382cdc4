import { beforeAll, describe, expect, test } from 'vitest'
import type { Stream } from '../../events/define.ts'
import { check } from './check.ts'
import type { CommandEvidence, Evidence } from './evidence.ts'
import { firstPrevhash, recordOf, type LogRecord } from './log-reader.ts'
import { simulate, type Simulated } from './simulate.ts'

/** Whether the checkers would notice: what a broken node would have written is put into the evidence of a good one. */

/** A world in which everything happens that is falsified here. */
const eventful = {
  burst: 20, clients: 60, clockSteps: 0, commands: 14, crashes: [], diskTroubles: [], endings: 12, latencyMs: 5, orderlyRestarts: 0, safetyMs: 5_000,
  clientMoods: ['lingers', 'patient', 'polite', 'no_such_name', 'silent', 'sslv2'], backendMoods: ['answers', 'echoes', 'plaintext'],
} as const
const seed = 7

let good: Simulated
beforeAll(async () => {
  const { settings } = (await simulate(seed)).options
  good = await simulate(seed, { ...eventful, settings: { ...settings, connectionsMax: 20 } })
})

test('the world that is falsified is a good one', () => {
  expect(good.violations).toEqual([])
})

type Json = LogRecord['json']

/** The evidence with other records in a stream, their chain made good again. */
function rewritten(stream: Stream, change: (records: Json[]) => Json[]): Evidence {
  const { evidence } = good
  const records = change(evidence.log[stream].map(({ text }) => JSON.parse(text)))
  const chained: LogRecord[] = []
  let prevhash = firstPrevhash
  for (const [sequence, json] of records.entries()) {
    const record = recordOf(JSON.stringify({ ...json, prevhash, sequence: String(sequence).padStart(20, '0') }), stream, [])
    chained.push(record)
    prevhash = record.hash
  }
  return { ...evidence, log: { ...evidence.log, [stream]: chained } }
}

function isFact(fact: string) {
  return ({ type }: Json): boolean => type === `dev.waybill.${fact}.v1`
}

/** Changes the first record that fits; there has to be one. */
function changed(stream: Stream, fits: (json: Json) => boolean, change: (data: Json) => void): Evidence {
  return rewritten(stream, (records) => {
    const record = records.find(fits)
    expect(record, 'something to falsify').toBeDefined()
    change(record!.data)
    return records
  })
}

function without(stream: Stream, fits: (json: Json) => boolean): Evidence {
  return rewritten(stream, (records) => {
    const at = records.findIndex(fits)
    expect(at, 'something to leave out').toBeGreaterThanOrEqual(0)
    return records.toSpliced(at, 1)
  })
}

function answered(fits: (command: CommandEvidence) => boolean, answer: (given: NonNullable<CommandEvidence['answer']>) => CommandEvidence['answer']): Evidence {
  const { evidence } = good
  const at = evidence.commands.findIndex(fits)
  expect(at, 'an answer to falsify').toBeGreaterThanOrEqual(0)
  const command = evidence.commands[at]!
  return { ...evidence, commands: evidence.commands.with(at, { ...command, answer: answer(command.answer!) }) }
}

const isClosed = isFact('connection.closed')
const isRefused = isFact('connection.refused')
const exactRelay = (json: Json): boolean => isClosed(json) && json.data.bytes_quality === 'exact' && json.data.close.because === 'finished'
const byName = (json: Json): boolean => isFact('connection.opened')(json) && json.data.routed_by === 'server_name'
const alerted = (json: Json): boolean => isRefused(json) && json.data.alert !== null
const isEffective = ({ answer }: CommandEvidence): boolean => answer?.kind === 'effective'

describe('noticed is', () => {
  const falsified: readonly (readonly [what: string, evidence: () => Evidence, problem: RegExp])[] = [
    ['a lost closing record', () => without('connections', isClosed), /was opened and never closed/],
    ['a second closing record', () => rewritten('connections', (all) => [...all, { ...all.find(isClosed), id: 'another' }]), /was closed twice/],
    ['a lost opened record', () => without('connections', isFact('connection.opened')), /was closed and not opened before/],
    ['a byte too many', () => changed('connections', exactRelay, (data) => (data.bytes_to_backend += 1)), /bytes to the backend, \d+ on the wire/],
    ['a byte too few', () => changed('connections', exactRelay, (data) => (data.bytes_to_client -= 1)), /bytes to the client, \d+ on the wire/],
    ['a refusal left out', () => without('connections', isRefused), /are counted as refused, \d+ came to no other end/],
    ['a refusal told twice', () => rewritten('connections', (all) => [...all, { ...all.find(isRefused), id: 'another' }]), /has two ends, or never came/],
    [
      'a refusal counted once more',
      () => rewritten('connections', (all) => {
        const single = all.find(isRefused)
        return [...all, { ...single, id: 'another', data: { ...single.data, after_ms: null, client: null, client_network: '198.51.100.0/24' } }]
      }),
      /1 clients of 198.51.100.0\/24 are counted as refused, 0 came/,
    ],
    ['a connection to another backend', () => changed('connections', isFact('connection.opened'), (data) => (data.backend_address.port += 1)), /it went to another address/],
    ['a connection by an older configuration', () => changed('connections', isFact('connection.opened'), (data) => (data.revision = 0)), /which took none at revision 0/],
    ['a change that is answered and gone', () => rewritten('control', (all) => all.slice(0, -1)), /was answered effective, and is not in force/],
    ['a change that is in force and denied', () => answered(isEffective, () => ({ kind: 'not_applied', because: 'EIO' })), /was answered not_applied, and is in force/],
    [
      'a change whose outcome is never told',
      () => answered(isEffective, () => ({ kind: 'outcome_unknown', id: 'nobody' })),
      /never appeared although its process ended in order/,
    ],
    [
      'a request that took effect twice',
      () => rewritten('control', (all) => {
        all.at(-1).data.idempotency.key = all.find(({ data }) => data.idempotency).data.idempotency.key
        return all
      }),
      /took effect twice/,
    ],
    [
      'a client let in by a name that its pool does not have',
      () => changed('connections', byName, (data) => (data.server_name = 'other.example')),
      /does not claim other.example/,
    ],
    [
      'a client let in by a case that no listener lets in',
      () => changed('connections', byName, (data) => (data.routed_by = 'malformed')),
      /listener shared says null/,
    ],
    ['plaintext that no pool allows', () => changed('connections', byName, (data) => (data.encrypted = false)), /does not allow plaintext/],
    ['an alert that nobody was sent', () => changed('connections', alerted, (data) => (data.alert = null)), /got 7 bytes and is not on record as opened/],
    [
      'a backend that broke the terms and was heard',
      () => changed('connections', (json) => isClosed(json) && json.data.close.because === 'backend_not_tls', (data) => (data.bytes_to_client = 9)),
      /backend_not_tls, after 9 bytes/,
    ],
    ['a drain that is never over', () => without('operations', isFact('health.drain_completed')), /is never over/],
    [
      'a drain that is over twice',
      () => rewritten('operations', (all) => [...all, { ...all.find(isFact('health.drain_completed')), id: 'another' }]),
      /is over twice/,
    ],
    [
      'an ending that hides who ended it',
      () => changed('connections', (json) => isClosed(json) && json.data.close.because === 'operator_ended', (data) => (data.close.actor = null)),
      /whose name is undefined/,
    ],
  ]
  test.for(falsified)('%s', ([, evidence, problem]) => {
    expect(check(evidence()).join('\n')).toMatch(problem)
  })

  test('a changed byte that nobody chained again', () => {
    const { evidence } = good
    const [first, ...others] = evidence.log.connections
    const forged = recordOf(first!.text.replace('"port":', '"port": '), 'connections', [])
    const log = { ...evidence.log, connections: [forged, ...others] }
    expect(check({ ...evidence, log }).join('\n')).toMatch(/its prevhash is not the hash of the record before it/)
  })

  test('a log that acknowledges before it is durable', async () => {
    const { violations } = await simulate(seed, { ...eventful, diskLies: true })
    expect(violations.join('\n')).toMatch(/a byte left on .* before the opened record was durable/)
  })

  test('and that a loss of power then takes acknowledged changes away', async () => {
    const { violations } = await simulate(seed, { ...eventful, crashes: [{ atCall: 2_000, power: 'lost' }], diskLies: true })
    expect(violations.join('\n')).toMatch(/was answered effective, and is not in force/)
  })
})
