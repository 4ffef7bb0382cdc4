import type { Stream } from '../../../../events/define.ts'
import type { FileLog } from '../../file/file-log.ts'
import { positionOf } from '../../recent-records.ts'
import type { Placed } from './own-records.ts'

/** What a node's own log says of a record that a topic has under its name. */

/** `cut`: it was removed here, since Kafka had it; nobody can compare it any more. */
export type OwnVerdict = 'same' | 'other' | 'cut'

export async function compareWithOwn(log: Pick<FileLog, 'beginning' | 'read'>, stream: Stream, found: Pick<Placed, 'leafHash' | 'sequence'>): Promise<OwnVerdict> {
  const { leafHash, sequence } = found
  const after = sequence === 0 ? null : positionOf(sequence - 1)
  for await (const [ours] of log.read(stream, { after, follow: false })) {
    if (ours?.position === positionOf(sequence)) return ours.leafHash === leafHash ? 'same' : 'other'
    break
  }
  const beginning = log.beginning(stream)
  if (sequence >= beginning.sequence) return 'other'
  // The first record that is kept names the one before it.
  if (sequence === beginning.sequence - 1) return beginning.prevhash === leafHash ? 'same' : 'other'
  return 'cut'
}
