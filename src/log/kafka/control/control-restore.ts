import type { ControlCopy } from './control-copy.ts'
import { sendsOf } from '../shipping/messages.ts'
import type { Send } from '../shipping/shipper.ts'

/**
 * Fills the control topic again from a node's copy: all of it in its order, not only what this node wrote. Readers take
 * the first of each record, so several nodes that do this at once end with the order that was.
 */

/** Resolves with the offset behind the last record, once all are acknowledged. */
export async function restoreControl(send: Send, copy: ControlCopy): Promise<number> {
  let end = 0
  for await (const batch of copy.read({ after: null, follow: false })) {
    for (const records of sendsOf(batch)) end = (await send(records)).offset + records.length
  }
  return end
}
