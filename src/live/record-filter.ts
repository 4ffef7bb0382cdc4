import { recordTail, timeLength } from '../../events/envelope.ts'
import { instantMs, rfc3339 } from '../core/clock.ts'

/**
 * Which records somebody wants to see, for the API and the command line alike. Looks at the raw bytes first, so that
 * millions of records that don't match cost a search each and are never parsed.
 */

/** Every field narrows; none of them: every record matches. */
export interface RecordFilter {
  /** A type, with or without `dev.waybill.`, or the front of one up to a dot: `connection`, `pool.changed`. */
  readonly type?: string | undefined
  /** A subject; with `*` at the end the front of one: `backends/payments/*`. */
  readonly subject?: string | undefined
  /**
   * Name of a pool that the record is about or names. Records are looked at one by one: that a listener no longer sends
   * clients to the pool stands in a record without that name, and only the trail of the pool has it.
   */
  readonly pool?: string | undefined
  /** `host:port` of a backend, in whichever pool: also one that a client or a check failed to reach. */
  readonly backend?: string | undefined
  /** Id of a connection. */
  readonly connection?: string | undefined
  /** Id of an actor, also of one who ended a connection. */
  readonly actor?: string | undefined
  /** RFC 3339; records of this moment and later, by their own `time`. */
  readonly from?: string | undefined
  /** RFC 3339; records before this moment. */
  readonly to?: string | undefined
}

type Test = (record: Buffer) => boolean

/** Whether a record's exact bytes (without the newline) match. Throws `RangeError` for a `from` or `to` that is no time. */
export function recordFilter(filter: RecordFilter): (bytes: Uint8Array) => boolean {
  const named = namedBy(filter)
  const tests: readonly Test[] = [
    ...named.map(({ needles }) => containing(needles)),
    ...tailTests(filter),
    ...(named.length === 0 ? [] : [parsedTest(named)]),
  ]
  return (bytes) => {
    const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return tests.every((test) => test(record))
  }
}

/** What a filter on a named thing needs: texts of which every match contains one, and the certain answer. */
interface Named {
  readonly needles: readonly string[]
  readonly matches: (record: ParsedRecord) => boolean
}

interface ParsedRecord {
  readonly subject?: unknown
  readonly data?: {
    readonly actor?: { readonly id?: unknown } | null
    readonly attempts?: readonly { readonly backend?: unknown }[]
    readonly backend?: unknown
    readonly backends?: readonly { readonly id?: unknown }[]
    readonly close?: { readonly actor?: { readonly id?: unknown } | null }
    readonly connection_id?: unknown
    readonly id?: unknown
    readonly pool?: unknown
    readonly set?: Readonly<Record<string, unknown>>
  }
}

function namedBy({ actor, backend, connection, pool }: RecordFilter): readonly Named[] {
  const named: Named[] = []
  if (connection !== undefined) {
    named.push({ needles: [field('connection_id', connection)], matches: ({ data }) => data?.connection_id === connection })
  }
  if (backend !== undefined) named.push(backendNamed(backend))
  if (actor !== undefined) {
    const matches = ({ data }: ParsedRecord): boolean => data?.actor?.id === actor || data?.close?.actor?.id === actor
    named.push({ needles: [field('id', actor)], matches })
  }
  if (pool !== undefined) named.push(poolNamed(pool))
  return named
}

/** A record names a pool as its own, or as where a listener sends clients; or it is about the pool or its listener. */
function poolNamed(pool: string): Named {
  const subjects = [`pools/${pool}`, `listeners/pools/${pool}`]
  const sendsThere = (answer: unknown): boolean =>
    typeof answer === 'object' && answer !== null && 'pool' in answer && answer.pool === pool
  return {
    needles: [field('pool', pool), ...subjects.map((subject) => field('subject', subject))],
    matches: ({ data, subject }) =>
      data?.pool === pool || subjects.includes(String(subject)) || Object.values(data?.set ?? {}).some(sendsThere),
  }
}

function backendNamed(id: string): Named {
  return {
    needles: [field('backend', id), field('id', id)],
    matches: ({ data, subject }) =>
      data?.backend === id ||
      (data?.id === id && String(subject).startsWith('backends/')) ||
      data?.backends?.some((each) => each.id === id) === true ||
      data?.attempts?.some((each) => each.backend === id) === true,
  }
}

/** As the bytes spell it: records are canonical JSON, so there is one spelling, and a quote inside a text is escaped. */
function field(name: string, value: string): string {
  return `"${name}":${JSON.stringify(value)}`
}

function containing(needles: readonly string[]): Test {
  const wanted = needles.map((needle) => Buffer.from(needle))
  return (record) => wanted.some((needle) => record.includes(needle))
}

function parsedTest(named: readonly Named[]): Test {
  return (record) => {
    let parsed: ParsedRecord
    try {
      parsed = JSON.parse(record.toString()) as ParsedRecord
    } catch {
      return false
    }
    return named.every(({ matches }) => matches(parsed))
  }
}

const typePrefix = 'dev.waybill.'

function tailTests({ from, subject, to, type }: RecordFilter): readonly Test[] {
  if (from === undefined && subject === undefined && to === undefined && type === undefined) return []
  const matchesType = typeTest(type)
  const matchesSubject = subjectTest(subject)
  const [first, before] = [canonical(from), canonical(to)]
  return [
    (record) => {
      const tail = tailOf(record)
      if (tail === null) return false
      // Both are RFC 3339 in UTC with three fraction digits, so that the order of the texts is that of the times.
      if ((first !== null && tail.time < first) || (before !== null && tail.time >= before)) return false
      return matchesType(tail.type) && matchesSubject(tail.subject)
    },
  ]
}

function typeTest(wanted: string | undefined): (type: string) => boolean {
  if (wanted === undefined) return () => true
  const whole = wanted.startsWith(typePrefix) ? wanted : typePrefix + wanted
  return (type) => type === whole || (type.startsWith(whole) && type[whole.length] === '.')
}

function subjectTest(wanted: string | undefined): (subject: string) => boolean {
  if (wanted === undefined) return () => true
  if (!wanted.endsWith('*')) return (subject) => subject === wanted
  const front = wanted.slice(0, -1)
  return (subject) => subject.startsWith(front)
}

function canonical(text: string | undefined): string | null {
  if (text === undefined) return null
  const ms = instantMs(text)
  if (ms === null) throw new RangeError(`"${text}" is not a time such as 2026-11-24T08:00:00Z`)
  return rfc3339(ms)
}

/** The `type` of a record's exact bytes; null when they are none of ours. */
export function recordType(bytes: Uint8Array): string | null {
  return tailOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))?.type ?? null
}

interface Tail {
  readonly subject: string
  readonly time: string
  readonly type: string
}

const subjectField = Buffer.from('"subject":"')
/** From the end of `subject` to the value of `time`. */
const toTime = '","time":"'.length

/** The envelope's last members, read without parsing. Null: not one of ours. */
function tailOf(record: Buffer): Tail | null {
  const tail = recordTail(record)
  if (tail === null) return null
  const { timeStart, typeStart } = tail
  const subjectAt = record.lastIndexOf(subjectField, timeStart)
  if (subjectAt < 0) return null
  const escaped = record.toString('latin1', subjectAt + subjectField.length, timeStart - toTime)
  return {
    subject: escaped.includes('\\') ? (JSON.parse(`"${escaped}"`) as string) : escaped,
    time: record.toString('latin1', timeStart, timeStart + timeLength),
    type: record.toString('latin1', typeStart, record.length - 2),
  }
}
