import { zeroHash } from '../../../events/chain.ts'
import { readWhole, replaceFile, type Disk } from '../../core/disk.ts'
import { errnoOf, invariant } from '../../core/errors.ts'
import type { ChainHead } from '../batch.ts'
import { LogDamaged } from '../event-log.ts'
import { parseSegmentName, type Segment } from './segments.ts'

/**
 * Where a stream's folder begins once its oldest segments were cut, since somebody else has them. Durable before the first
 * of them goes: missing segments without this file are damage, and with it a cut that broke off is ended by the next start.
 */

export const beginningName = 'beginning.json'

/** Of a stream that has its first record. */
export const streamBeginning: ChainHead = { sequence: 0, prevhash: zeroHash }

export async function readBeginning(disk: Disk, folder: string): Promise<ChainHead> {
  const path = `${folder}/${beginningName}`
  try {
    const found = JSON.parse((await readWhole(disk, path)).toString()) as { readonly prevhash?: unknown; readonly sequence?: unknown } | null
    const { prevhash, sequence } = found ?? {}
    if (typeof prevhash === 'string' && Number.isSafeInteger(sequence) && (sequence as number) > 0) return { prevhash, sequence: sequence as number }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return streamBeginning
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new LogDamaged(`${path}: it does not say where the stream begins. Restore this file from a copy.`)
}

/**
 * Removes the segments before one of the first record `begin` names. Resolves when none of them can come back; one that
 * can't be removed stays for the next start.
 */
export async function cutFolder(disk: Disk, folder: string, { prevhash, sequence }: ChainHead, onDurable: () => void): Promise<void> {
  invariant(sequence > 0, 'a cut leaves out something')
  await replaceFile(disk, folder, beginningName, Buffer.from(`${JSON.stringify({ prevhash, sequence })}\n`))
  onDurable()
  await removeBefore(disk, folder, sequence)
}

/** What lies before the beginning: all of it, whatever an earlier cut left. The oldest first. */
export async function removeBefore(disk: Disk, folder: string, sequence: number): Promise<void> {
  const outdated = (await disk.list(folder)).filter((name) => isBefore(parseSegmentName(name), sequence))
  for (const name of outdated) await disk.remove(`${folder}/${name}`)
  if (outdated.length > 0) await disk.syncFolder(folder)
}

function isBefore(segment: Segment | null, sequence: number): boolean {
  return segment !== null && segment.first < sequence
}
