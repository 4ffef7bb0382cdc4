import { encodeDraft, encodedBytes, type Draft } from '../../events/envelope.ts'
import type { Actor, Change, Idempotency, Origin } from '../../events/values.ts'
import type { ListenerPolicy } from '../../projections/listeners.ts'
import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import { controlRecordBytesMax } from '../core/limits.ts'
import type { Endpoint } from '../core/network.ts'

/** What a decider is given and what it may answer. Deciders are pure: ids, times and people arrive in the command. */

export type RefusalCode =
  | 'backend_exists'
  | 'backend_unknown'
  | 'backend_url_invalid'
  | 'business_need_missing'
  | 'command_too_large'
  | 'default_route_taken'
  | 'idempotency_key_reused'
  | 'listen_invalid'
  | 'listen_taken'
  | 'listener_pool_unknown'
  | 'listener_unknown'
  | 'managed_by_file'
  | 'plaintext_not_allowed'
  | 'pool_exists'
  | 'pool_named_by_listener'
  | 'pool_unknown'
  | 'revision_mismatch'
  | 'server_name_invalid'
  | 'server_name_taken'
  | 'too_many_backends'
  | 'too_many_pools'

/** The rules say no: an answer, never thrown. `sentence` says what is wrong and what to do. */
export interface Refusal {
  readonly code: RefusalCode
  /** The field of the command that it is about, as in the API (`server_names.0`). */
  readonly field?: string
  readonly sentence: string
  /** Facts for programs, such as the pool that is in the way. */
  readonly extra?: Readonly<Record<string, string | number>>
}

/** A control record but for its revision, basis and trace, which the desk adds. */
export type DraftFacts<Data extends object = object> = Omit<Draft, 'data' | 'revision' | 'basis' | 'traceparent'> & { readonly data: Data }

export type Decision<Data extends object = object> =
  | { readonly record: DraftFacts<Data> }
  | { readonly unchanged: true }
  | { readonly refusal: Refusal }

/** Who asks, from where and why. */
export interface Request {
  readonly actor: Actor
  readonly change: Change
  readonly origin: Origin
  readonly idempotency: Idempotency
  /** The declaration file that asks; null: somebody through the API. */
  readonly file: string | null
  /** The revision of the pool or listener that the caller has seen (`If-Match`); null: whatever it is. */
  readonly ifMatch: number | null
  /** The trace that the request is part of (W3C Trace Context). */
  readonly traceparent?: string
}

/** New for each attempt: a record that lost its race keeps its id. */
export interface Stamp {
  readonly recordId: string
  /** RFC 3339, UTC, three fraction digits. */
  readonly time: string
}

/** What the rules depend on besides the state and the command: the same for a whole process life. */
export interface Rules {
  readonly autoDefaultRoute: boolean
  /** Addresses that no pool may listen on. */
  readonly api: Endpoint
  /** Where health is served for probes; null: nowhere. */
  readonly ops: Endpoint | null
  readonly sharedListen: Endpoint
}

export type Decide<Command, Data extends object> = (
  routing: Routing,
  command: Command & Stamp,
  rules: Rules,
) => Decision<Data>

export const noChange: Change = { approved_by: null, reason: null, requested_by: null, ticket: null }
/** The control stream is one partition, so its key says nothing more. */
export const controlPartitionKey = 'control'

/** A control record of this command. `data` has its keys in code-unit order. */
export function controlDraft<Data extends object>(
  { recordId, time }: Stamp,
  { type }: { readonly type: string },
  subject: string,
  data: Data,
): DraftFacts<Data> {
  return { id: recordId, type, subject, time, partitionkey: controlPartitionKey, data }
}

export function refuse(code: RefusalCode, sentence: string, about: Pick<Refusal, 'field' | 'extra'> = {}): { refusal: Refusal } {
  return { refusal: { code, sentence, ...about } }
}

/** The longest that cluster, node, epoch and run can make a record's envelope: 63, 200 and fixed-width ids. */
const longestWriter = { source: 'x'.repeat(400), run: 'x'.repeat(36) }
/** What the desk adds to a decision: the longest that it can be. */
const longestAdded = { revision: Number.MAX_SAFE_INTEGER, basis: 'x'.repeat(44), traceparent: 'x'.repeat(55) }

/** Decided before any rule, so that what can never be recorded is never weighed. */
export function tooLarge(facts: DraftFacts): { refusal: Refusal } | null {
  const bytes = encodedBytes(encodeDraft({ ...facts, ...longestAdded }, longestWriter))
  if (bytes <= controlRecordBytesMax) return null
  return refuse(
    'command_too_large',
    `The change would make a record of ${bytes} bytes; the most is ${controlRecordBytesMax}. Shorten or split it.`,
    { extra: { bytes, bytes_max: controlRecordBytesMax } },
  )
}

export function unknownPool(name: string): { refusal: Refusal } {
  return refuse('pool_unknown', `There is no pool "${name}". GET /api/pools lists those that exist.`, { extra: { pool: name } })
}

export function unknownListener(listener: string): { refusal: Refusal } {
  return refuse(
    'listener_unknown',
    `There is no listener "${listener}": there is "shared", and one for each pool with a listen address of its own. ` +
      'GET /api/listeners lists them.',
    { extra: { listener } },
  )
}

export function unknownBackend(pool: Pool, id: string): { refusal: Refusal } {
  return refuse('backend_unknown', `Pool "${pool.name}" has no backend ${id}. GET /api/pools/${pool.name}/backends lists those it has.`, {
    extra: { pool: pool.name, backend: id },
  })
}

/**
 * Whether a write may touch a field of an object: what a declaration file sets, only that file may change. `field` null
 * means the object as a whole. Others may set what the file leaves open.
 */
export function notOwner(
  what: string,
  { declaration }: Pick<Backend | ListenerPolicy | Pool, 'declaration'>,
  { file }: Pick<Request, 'file'>,
  field: string | null,
): { refusal: Refusal } | null {
  if (declaration === null || declaration.file === file) return null
  if (field !== null && !declaration.fields.includes(field)) return null
  const about = field === null ? what : `${field} of ${what}`
  return refuse(
    'managed_by_file',
    `${about} is declared in ${declaration.file}, so only that file changes it: edit it there and apply it.`,
    { ...(field === null ? {} : { field }), extra: { file: declaration.file } },
  )
}

/** RFC 9110, section 13.1.1: act only on the state that the caller has seen. */
export function mismatch(
  what: string,
  { revision }: Pick<ListenerPolicy | Pool, 'revision'>,
  ifMatch: number | null,
): { refusal: Refusal } | null {
  if (ifMatch === null || ifMatch === revision) return null
  return refuse(
    'revision_mismatch',
    `${what} is at revision ${revision}, not ${ifMatch}: somebody changed it since you read it. ` +
      'Read it again and decide on what you find.',
    { extra: { revision } },
  )
}
