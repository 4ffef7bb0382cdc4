/**
 * The three kinds of "no", never mixed: a refusal (the rules say no) is a returned value and has no class here;
 * a fault (the world failed) is thrown with a code; a violation (our bug) is thrown and never caught.
 */

/** A bug in this program. Never caught on the data path: crash, restart, replay. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
}

/** Stays on in production: states what must hold at the edge of a stateful module. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message)
}

/** What failed: the file system, the network, the log as a whole, or what the person configured. */
export type FaultSource = 'disk' | 'network' | 'log' | 'settings'

/** The world failed. `code` is stable; `message` says what is wrong, where, and what to do next. */
export class Fault extends Error {
  override readonly name: string = 'Fault'
  readonly code: string
  readonly source: FaultSource
  /** True where the same call may succeed later without anybody changing anything. */
  readonly canRetry: boolean

  constructor(code: string, source: FaultSource, message: string, options: { canRetry?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.source = source
    this.canRetry = options.canRetry ?? false
  }
}

/** The errno name of a failed system call (`ENOSPC`), or `EUNKNOWN` for an error that has none. */
export function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'EUNKNOWN'
}

/** One printable line for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
