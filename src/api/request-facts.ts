import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Request } from '../commands/decision.ts'
import { sha256Base64 } from '../core/system/digest.ts'
import { tracedBy } from './call-trace.ts'
import { callerOf } from './caller.ts'
import { Problem } from './problem.ts'

/** What a request says besides its meaning: who asks, the state it depends on (If-Match), and its Idempotency-Key. */

const ifMatchForm = /^(?:"([0-9]{1,15})"|\*)$/
const idempotencyKeyForm = /^[!-~]{1,200}$/

const idempotencyKey = z.string().optional().meta({
  description: '1 to 200 visible ASCII characters. For 24 hours, a repeat of the same request gets the first answer.',
  pattern: idempotencyKeyForm.source,
})

/** For calls that make something new. */
export const CreateHeaders = z.looseObject({ 'idempotency-key': idempotencyKey })
/** For calls that change what exists. */
export const WriteHeaders = z.looseObject({
  'if-match': z.string().optional().meta({
    description: 'ETag of the pool or listener, such as "17": change it only if it is still this one (412).',
    pattern: ifMatchForm.source,
  }),
  'idempotency-key': idempotencyKey,
})

/** The part of every command that comes from the request and not from its meaning. */
export function requestFacts(request: FastifyRequest): Omit<Request, 'change'> {
  return { ...callerOf(request), ...tracedBy(request), file: null, idempotency: idempotencyOf(request), ifMatch: ifMatchOf(request) }
}

export function etagOf(revision: number): string {
  return `"${revision}"`
}

/** What does not exist yet has no state that the caller could have seen. */
export function refuseIfMatch({ headers }: FastifyRequest): void {
  if (headers['if-match'] === undefined) return
  throw new Problem('header_invalid', 'If-Match is about something that exists; leave it out to create something.', { field: 'If-Match' })
}

/** RFC 9110, section 13.1.1, as far as a revision needs it: one strong tag, or "*". */
function ifMatchOf({ headers }: FastifyRequest): number | null {
  const header = headers['if-match']
  if (header === undefined) return null
  const match = ifMatchForm.exec(header)
  if (match !== null) return match[1] === undefined ? null : Number(match[1])
  throw new Problem('header_invalid', 'If-Match takes one ETag as this API gives it, such as "17", or *.', { field: 'If-Match' })
}

/** Two requests are the same when method, path, query and meaning of the body are. */
function idempotencyOf(request: FastifyRequest): Request['idempotency'] {
  const key = request.headers['idempotency-key']
  if (key === undefined) return null
  if (typeof key !== 'string' || !idempotencyKeyForm.test(key)) {
    throw new Problem('header_invalid', 'Idempotency-Key takes 1 to 200 visible ASCII characters, without spaces.', {
      field: 'Idempotency-Key',
    })
  }
  const said = JSON.stringify([request.method, request.raw.url, request.body ?? null], sortedKeys)
  return { digest: sha256Base64(said), key }
}

/** A body comes in the order of its schema, which the next version of this program may change. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
