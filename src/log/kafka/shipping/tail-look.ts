import type { Stream } from '../../../../events/define.ts'
import { Fault } from '../../../core/errors.ts'
import type { LostRange } from '../../cluster-log.ts'
import type { FileLog } from '../../file/file-log.ts'
import { compareWithOwn } from '../reading/own-log.ts'
import { findNewTail, findTail, type Placed, type SourcePlace, type Tail } from '../reading/own-records.ts'
import { Absence, orAborted, TopicReplaced } from '../reading/partition-reader.ts'

/** What a shipper has to know of its partition before it sends anything: where it goes on, and what is missing there. */

export interface TailLookOptions {
  readonly stream: Stream
  readonly log: Pick<FileLog, 'beginning' | 'read'>
  /** With the signal that ends a look: what it says then is worth nothing. */
  readonly place: SourcePlace
  /** The topic is gone: it has to be there when this resolves. */
  readonly onGone: () => Promise<void>
}

export interface Look {
  /** The last record of ours that is there; null: none. */
  readonly last: Placed | null
  /** Removed here, since the topic had it, and not in there any more. */
  readonly lost: LostRange | null
  readonly replaced: boolean
}

export class TailLook {
  readonly #options: TailLookOptions
  readonly #absence: Absence

  constructor(options: TailLookOptions) {
    this.#options = options
    this.#absence = new Absence(options.place.clock)
  }

  /** `known`: what was seen there last. Throws a `Fault` when somebody else writes there as this node, and what kafkajs throws. */
  async look(known: Placed | null): Promise<Look> {
    const { log, place, stream } = this.#options
    const { contradicted, last, replaced } = await this.#tail(known)
    if (contradicted !== null || (last !== null && (await compareWithOwn(log, stream, last)) === 'other')) {
      throw new Fault(
        'log_contradicted', 'log',
        `${place.topic} holds another record ${contradicted ?? last?.sequence} of ${place.source} than this node's own log. Two processes write as ` +
          'one node from copies of one folder: stop one of them and start it with an empty folder and another name.',
      )
    }
    return { last, lost: lostBehind(last, replaced, this.#begin), replaced }
  }

  /** Looked up each time: a cut may end meanwhile. */
  get #begin(): number {
    return this.#options.log.beginning(this.#options.stream).sequence
  }

  async #tail(known: Placed | null): Promise<Tail> {
    const { onGone, place } = this.#options
    try {
      const tail = await findTail(place, known, this.#begin)
      this.#absence.end()
      return tail
    } catch (error) {
      if (!(error instanceof TopicReplaced) && !this.#absence.isFinal(error)) throw error
      await orAborted(onGone(), place.signal)
      return findNewTail(place, this.#begin)
    }
  }
}

/** What was cut here, the topic had; what it lacks of that nobody can send again. */
function lostBehind(last: Placed | null, replaced: boolean, begin: number): LostRange | null {
  if (last === null && !replaced) return null
  const first = last === null ? 0 : last.sequence + 1
  return first < begin ? { first, last: begin - 1 } : null
}
