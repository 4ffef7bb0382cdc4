import { expect } from 'vitest'
import { streams, type Stream } from '../../events/define.ts'
import { Fault, InvariantViolation } from '../../src/core/errors.ts'
import { NotWritten, Unsettled, type AppendPurpose, type EventLog } from '../../src/log/event-log.ts'
import { draft, labelOf, readAll } from './drafts.ts'

interface Told {
  /** Leaf hash by position, of what was acknowledged or once read. */
  readonly stored: Map<string, string>
  readonly refused: Set<string>
}

/** What a log told its callers over all its lives, and whether the log keeps to it. */
export class LogHistory {
  readonly #told: Readonly<Record<Stream, Told>> = {
    control: { stored: new Map(), refused: new Set() },
    connections: { stored: new Map(), refused: new Set() },
    operations: { stored: new Map(), refused: new Set() },
  }
  #labels = 0
  /** Anything that an append may not reject with. */
  readonly violations: unknown[] = []

  append(log: EventLog, stream: Stream, records: number, bytes: number, purpose: AppendPurpose, timeoutMs?: number): void {
    const told = this.#told[stream]
    const drafts = Array.from({ length: records }, () => draft(`r${(this.#labels += 1)}`, bytes))
    const options = timeoutMs === undefined ? { purpose } : { purpose, timeoutMs }
    log.append(stream, [drafts[0]!, ...drafts.slice(1)], options).then(
      (appended) => {
        for (const { position, leafHash } of appended) {
          // The same number for other bytes would be two records in one place.
          if ((told.stored.get(position) ?? leafHash) !== leafHash) this.violations.push(`${stream} ${position} was given twice`)
          told.stored.set(position, leafHash)
        }
      },
      (error: unknown) => {
        if (error instanceof NotWritten) for (const each of drafts) told.refused.add((each.data as { label: string }).label)
        else if (!(error instanceof Unsettled) || error instanceof InvariantViolation) this.violations.push(error)
      },
    )
  }

  /** Reads everything, which checks the chain; what was read now has to be there for ever. */
  async check(log: EventLog): Promise<void> {
    expect(this.violations).toEqual([])
    for (const stream of streams) {
      const { stored, refused } = this.#told[stream]
      const records = await readAll(log, stream).catch((error: unknown) => {
        // The disk may fail a read as well; it does not do so twice here.
        if (error instanceof Fault && error.code === 'log_unreadable') return readAll(log, stream)
        throw error
      })
      const found = new Map(records.map((record) => [record.position as string, record.leafHash]))
      for (const [position, leafHash] of stored) expect(found.get(position), `${stream} ${position}`).toBe(leafHash)
      const labels = records.map(labelOf)
      expect(new Set(labels).size, 'each record once').toBe(labels.length)
      expect(labels.filter((label) => refused.has(label)), 'refused, and there').toEqual([])
      for (const [position, leafHash] of found) stored.set(position, leafHash)
    }
  }
}
