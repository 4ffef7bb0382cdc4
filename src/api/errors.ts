import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { errnoOf, Fault, messageOf } from '../core/errors.ts'
import type { ApiOptions } from './context.ts'
import type { Code } from './codes.ts'
import { traceFields } from './call-trace.ts'
import { Problem, problemBody, problemContentType, problemHeaders, type FieldProblem } from './problem.ts'

/** Turns whatever goes wrong on the way to an answer into a problem: our own, zod's, fastify's and the HTTP parser's. */

/** What fastify and Node call the things that a client got wrong. */
const clientFaults: Readonly<Record<string, Code>> = {
  FST_ERR_BAD_URL: 'request_malformed',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'body_invalid',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request_malformed',
  FST_ERR_MAX_PARAM_LENGTH: 'route_unknown',
  ECONNRESET: 'request_malformed',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  const code = clientFaults[errnoOf(error)]
  if (code !== undefined) return new Problem(code, `${messageOf(error)}.`, { cause: error })
  if (isClientError(error)) return new Problem('request_malformed', `${messageOf(error)}.`, { cause: error })
  if (error instanceof Fault) return new Problem('log_unreadable', error.message, { cause: error })
  return new Problem('internal_error', 'Something went wrong that should not be able to.', { cause: error })
}

/** fastify marks what it refuses by itself with a status. */
function isClientError(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode < 500
}

export function sendProblem(reply: FastifyReply, request: FastifyRequest, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problemHeaders(problem))
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problemBody(problem, request.id))
}

export function errorHandler({ logger, onViolation }: Pick<ApiOptions, 'logger' | 'onViolation'>) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error)
    const sent = sendProblem(reply, request, problem)
    if (problem.code === 'internal_error') {
      logger.error(`${request.method} ${pathOf(request)} failed: ${messageOf(error)}`, { error, request_id: request.id, ...traceFields(request) })
      onViolation(error)
    }
    return sent
  }
}

/** What the HTTP parser refuses never becomes a request, so it is answered by hand, and `onAnswer` told with which status. */
export function answerMalformed(makeId: () => string, onAnswer: (socket: Duplex, status: number) => void) {
  return (error: NodeJS.ErrnoException, socket: Duplex): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const code = clientFaults[error.code ?? ''] ?? 'request_malformed'
    const problem = new Problem(code, `The request was not read to its end: ${error.message}.`)
    onAnswer(socket, problem.status)
    const body = JSON.stringify(problemBody(problem, makeId()))
    socket.end(
      `HTTP/1.1 ${problem.status} ${code}\r\ncontent-type: ${problemContentType}\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\n` +
        `x-content-type-options: nosniff\r\nconnection: close\r\n\r\n${body}`,
    )
  }
}

/** Without the query, as it goes into records and logs. */
export function pathOf(request: FastifyRequest): string {
  // An absolute target (RFC 9112, section 3.2.2) may hold a password.
  return request.raw.url?.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '').split('?', 1)[0] || '/'
}

/** Every issue of a schema as a field and a sentence; one problem for all of them. */
export function validationProblem(error: z.ZodError, schema: z.ZodType, place: string): Problem {
  const errors = error.issues.flatMap((issue) => fieldProblems(issue, schema, place))
  const [first] = errors
  const code: Code = place === 'body' && first?.field === 'ssl_mode' ? 'never_decrypts' : 'field_invalid'
  const detail = errors.map(({ sentence }) => sentence).join(' ')
  return new Problem(code, detail, { errors, ...(first?.field === undefined ? {} : { field: first.field }) })
}

function fieldProblems(issue: z.core.$ZodIssue, schema: z.ZodType, place: string): FieldProblem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const known = knownFields(schema, path)
    return issue.keys.map((key) => ({
      field: [...path, key].join('.'),
      sentence: `${[...path, key].join('.')} is not a field of this request; it ${known.length === 0 ? 'takes none here' : `may have ${known.join(', ')}`}.`,
    }))
  }
  if (path.length === 0) return [{ sentence: `The ${place} ${issue.message}.` }]
  return [{ field: path.join('.'), sentence: `${path.join('.')} ${issue.message}.` }]
}

function knownFields(schema: z.ZodType, path: readonly string[]): string[] {
  let inner: unknown = schema
  for (const name of path) inner = unwrapped(inner) instanceof z.ZodObject ? (unwrapped(inner) as z.ZodObject).shape[name] : undefined
  const object = unwrapped(inner)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

/** Of a choice, the object, if there is one: only that has fields. */
function unwrapped(schema: unknown): unknown {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodNullable) inner = inner.unwrap()
  if (!(inner instanceof z.ZodUnion)) return inner
  return inner.options.find((option) => option instanceof z.ZodObject) ?? inner
}
