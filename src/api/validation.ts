import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import { validationProblem } from './errors.ts'
import { Problem } from './problem.ts'

/** Checks every part of a request against its zod schema, in sentences that follow the name of the field. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data: unknown) => {
    if (httpPart === 'body' && (data === undefined || data === null) && !schema.safeParse(data).success) {
      return { error: new Problem('body_invalid', 'The body is missing; send one JSON object.') }
    }
    const parsed = schema.safeParse(data, { error: sentenceOf })
    if (parsed.success) return { value: parsed.data }
    return { error: validationProblem(parsed.error, schema, httpPart ?? 'request') }
  }
}

/** Only for issues whose schema has no sentence of its own. */
function sentenceOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${article(issue.expected)}`
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'too_small':
      return `must ${issue.origin === 'number' || issue.origin === 'int' ? 'be' : 'have'} at least ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `must ${issue.origin === 'number' || issue.origin === 'int' ? 'be' : 'have'} at most ${issue.maximum}${unitOf(issue.origin)}`
    default:
      return undefined
  }
}

function unitOf(origin: string): string {
  return { string: ' characters', array: ' entries' }[origin] ?? ''
}

function article(type: string): string {
  if (type === 'int') return 'a whole number'
  return `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`
}
