import { Fault } from '../../../core/errors.ts'

/** What went wrong between this node and the brokers, out of whatever kafkajs wrapped it in. */

const depthMax = 10

/** kafkajs wraps errors in errors, and repeats the text of the inner one. */
export function* chainOf(error: unknown): Generator<Error> {
  for (let at = error, depth = 0; at instanceof Error && depth < depthMax; at = at.cause, depth += 1) {
    yield at
    if ('errors' in at && Array.isArray(at.errors)) for (const inner of at.errors) if (inner instanceof Error) yield inner
  }
}

/** The protocol's name of an error (`OFFSET_OUT_OF_RANGE`); null: no broker said so. */
export function typeOf(error: unknown): string | null {
  for (const at of chainOf(error)) if ('type' in at && typeof at.type === 'string') return at.type
  return null
}

/** An errno name, or the protocol's name of the error. */
export function failureCode(error: unknown): string {
  const code = typeOf(error) ?? (error instanceof Fault ? error.code : codeOf(error)) ?? 'KAFKA_UNAVAILABLE'
  return code.toUpperCase()
}

/** Everything that kafkajs throws, and not a bug of ours. */
export function isClientError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS')
}

/** Nobody answered; else somebody did, and said no. */
export function isUnreachable(error: unknown): boolean {
  return !(error instanceof Fault) && typeOf(error) === null
}

/** Trying again changes nothing: people have to. */
export function isHopeless(error: unknown): boolean {
  return error instanceof Fault || (typeOf(error)?.endsWith('_AUTHORIZATION_FAILED') ?? false)
}

function codeOf(error: unknown): string | null {
  for (const at of chainOf(error)) if ('code' in at && typeof at.code === 'string' && /^E[A-Z]+$/.test(at.code)) return at.code
  return null
}
