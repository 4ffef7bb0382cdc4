import type { Draft } from '../../events/envelope.ts'
import type { Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import { Drafts } from '../log/drafts.ts'
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

export class OperationsNotes {
  readonly #options: NotesOptions
  /** Makes what `write` takes. */
  readonly drafts: Drafts

  constructor(options: NotesOptions) {
    this.#options = options
    this.drafts = new Drafts(options.clock, options.makeId, options.node)
  }

  /** All or none. True: they are on record, or will be. False: never, and the caller may keep them for later. */
  async write(first: Draft, ...more: Draft[]): Promise<boolean> {
    const { log, appendTimeoutMs } = this.#options
    try {
      await log.append('operations', [first, ...more], { purpose: 'admission', timeoutMs: appendTimeoutMs })
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
