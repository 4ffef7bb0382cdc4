import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Request } from '../commands/decision.ts'
import type { Desk } from '../commands/desk.ts'
import type { Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import type { Endpoint } from '../core/network.ts'
import type { Live } from '../live/live.ts'
import type { NodeLife, OpenCounters } from '../live/node-view.ts'
import type { EventLog } from '../log/event-log.ts'
import { callerOf } from './caller.ts'
import type { Denials } from './denials.ts'
import type { OperationsNotes } from './operations-notes.ts'
import { Problem } from './problem.ts'

/** What the resources of the API share. */

export interface ApiOptions {
  readonly live: Pick<Live, 'routing' | 'traffic' | 'frozen'>
  readonly desk: Pick<Desk, 'run'>
  readonly log: Pick<EventLog, 'append' | 'read' | 'head' | 'availability'>
  readonly open: OpenCounters
  readonly life: NodeLife
  readonly logger: Logger
  readonly clock: Clock
  readonly makeId: MakeId
  /** Name of this node: partition key of its own records. */
  readonly node: string
  /** The address the API is bound to; its names are the only ones a Host header may have. */
  readonly bound: Endpoint
  readonly appendTimeoutMs: number
  /** Told of every error that is a bug of this program, after it was answered with 500. Should end the process. */
  readonly onViolation: (error: unknown) => void
}

export interface ApiContext extends ApiOptions {
  readonly notes: OperationsNotes
  readonly denials: Denials
  /** Aborts when the API closes: whatever still streams ends. */
  readonly closing: AbortSignal
}

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** The part of every command that comes from the request and not from its body. */
export function requestFacts(request: FastifyRequest): Omit<Request, 'change'> {
  return { ...callerOf(request), idempotencyKey: null, ifMatch: ifMatchOf(request) }
}

/** RFC 9110, section 13.1.1, as far as a revision needs it: one strong tag, or "*". */
function ifMatchOf(request: FastifyRequest): number | null {
  const header = request.headers['if-match']
  if (header === undefined || header === '*') return null
  const match = /^"([0-9]{1,15})"$/.exec(header)
  if (match === null) {
    throw new Problem('header_invalid', 'If-Match takes one ETag as this API gives it, such as "17", or *.', {
      field: 'If-Match',
    })
  }
  return Number(match[1])
}

export function etagOf(revision: number): string {
  return `"${revision}"`
}
