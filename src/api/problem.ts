import { z } from 'zod'
import type { Refusal } from '../commands/decision.ts'
import { codes, type Code, type CodeEntry } from './codes.ts'

/** Errors on the wire: RFC 9457, with a stable `code`, the fields that are wrong, and a sentence that says what to do. */

export const problemContentType = 'application/problem+json'

export const FieldProblem = z
  .strictObject({
    code: z.string().optional().meta({ description: 'For programs, where the reason is not a field.' }),
    field: z.string().optional().meta({ description: 'Dotted path in the body or query.' }),
    line: z.int().optional().meta({ description: 'Of a declaration file, from 1.' }),
    column: z.int().optional(),
    sentence: z.string(),
  })
  .meta({ id: 'FieldProblem' })
export type FieldProblem = z.infer<typeof FieldProblem>

export const ProblemBody = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable; see docs/errors.md.' }),
    action: z.string(),
    instance: z.string().meta({ description: 'Names this one occurrence; also in the log of the program.' }),
    field: z.string().optional(),
    errors: z.array(FieldProblem).optional(),
  })
  .meta({ id: 'Problem' })

export interface ProblemDetails {
  readonly field?: string
  readonly errors?: readonly FieldProblem[]
  readonly extra?: Readonly<Record<string, string | number>>
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** Thrown inside the API only, to leave a handler with an answer. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: Code
  readonly details: ProblemDetails

  constructor(code: Code, sentence: string, details: ProblemDetails = {}) {
    super(sentence, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.details = details
  }

  get status(): number {
    return codes[this.code].status
  }

  static ofRefusal({ code, field, sentence, extra }: Refusal): Problem {
    return new Problem(code, sentence, {
      ...(field === undefined ? {} : { field, errors: [{ field, sentence }] }),
      ...(extra === undefined ? {} : { extra }),
    })
  }
}

export function problemBody(problem: Problem, requestId: string): z.infer<typeof ProblemBody> {
  const { status, title, action }: CodeEntry = codes[problem.code]
  const { field, errors, extra } = problem.details
  return {
    type: `urn:waybill:problem:${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    action,
    instance: `urn:uuid:${requestId}`,
    ...(field === undefined ? {} : { field }),
    ...(errors === undefined ? {} : { errors: [...errors] }),
    ...extra,
  }
}

/** With every answer: nothing here may be cached or taken for something else by a browser. */
export const everyAnswer = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

export function problemHeaders(problem: Problem): Record<string, string> {
  return {
    ...everyAnswer,
    'content-type': problemContentType,
    ...(problem.status === 503 ? { 'retry-after': '1' } : {}),
    ...problem.details.headers,
  }
}
