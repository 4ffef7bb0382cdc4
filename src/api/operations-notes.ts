import type { Draft } from '../../events/envelope.ts'
import { rfc3339, type Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import { NotWritten, Unsettled, type EventLog } from '../log/event-log.ts'

/** Writes what the API has to say about itself into the operations stream, as the node. */

export interface NotesOptions {
  readonly log: Pick<EventLog, 'append'>
  readonly clock: Clock
  readonly makeId: MakeId
  readonly logger: Logger
  /** Partition key of the node's own records. */
  readonly node: string
  readonly appendTimeoutMs: number
}

export interface Note {
  readonly type: string
  readonly subject: string
  readonly data: object
}

export class OperationsNotes {
  readonly #options: NotesOptions

  constructor(options: NotesOptions) {
    this.#options = options
  }

  /** All or none. True: they are on record, or will be. False: never, and the caller may keep them for later. */
  async write(first: Note, ...more: Note[]): Promise<boolean> {
    const { log, clock, makeId, node, appendTimeoutMs } = this.#options
    const time = rfc3339(clock.now())
    const draftOf = (note: Note): Draft => ({ ...note, id: makeId(), time, partitionkey: node })
    try {
      await log.append('operations', [draftOf(first), ...more.map(draftOf)], { purpose: 'admission', timeoutMs: appendTimeoutMs })
      return true
    } catch (error) {
      if (error instanceof Unsettled) return true
      if (error instanceof NotWritten) return false
      throw error
    }
  }

  get clock(): Clock {
    return this.#options.clock
  }
  get logger(): Logger {
    return this.#options.logger
  }
}
