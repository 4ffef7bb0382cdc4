import { Fault } from '../core/errors.ts'
import { exitCodes } from './exit-codes.ts'
import { printable } from '../core/printable.ts'

/**
 * Says on standard error why a verb failed and returns the exit code. A fault is for the person to mend, so its
 * sentence is enough; anything else is a bug of this program and is thrown on, stack and all.
 */
export function reportFailure(error: unknown, write: (text: string) => void = (text) => process.stderr.write(text)): number {
  if (!(error instanceof Fault)) throw error
  write(`waybill: ${error.message.split('\n').map(printable).join('\n')}\n`)
  return error.source === 'settings' ? exitCodes.usage : exitCodes.failed
}
