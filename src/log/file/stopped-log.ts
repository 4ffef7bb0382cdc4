import { streams, type Stream } from '../../../events/define.ts'
import { Fault } from '../../core/errors.ts'
import type { EventLog, Position, ReadOptions, StoredRecord } from '../event-log.ts'
import { positionOf, RecentRecords } from '../recent-records.ts'
import { readEndMarker, readIdentity, type Identity } from './folder.ts'
import { lockFolder, naming, sourcesOf, streamFolder, type LockOptions } from './open-folder.ts'
import { examineStream } from './recovery.ts'
import { SegmentList } from './segments.ts'
import { readStream, type StreamReaderOptions } from './stream-reader.ts'

/**
 * A log folder that nobody serves, opened for reading by a command line: it holds the folder's lock until disposed,
 * changes nothing, and does not show what a crash left unfinished.
 */
export class StoppedLog implements Pick<EventLog, 'read' | 'head'>, AsyncDisposable {
  readonly identity: Identity
  readonly #lock: AsyncDisposable
  readonly #streams: Readonly<Record<Stream, StreamReaderOptions>>

  /** Throws as `FileLog.open`, and `no_log_here` where no log was ever kept. */
  static open(options: LockOptions): Promise<StoppedLog> {
    const { disk, folder } = options
    return naming(folder, async () => {
      const identity = await readIdentity(disk, folder)
      // Before the lock: taking that would leave a file in a folder that is not ours.
      if (identity === null) {
        const message = `there is no Waybill log in ${folder}. Name the folder that the node was started with.`
        throw new Fault('no_log_here', 'settings', message)
      }
      await using lock = await lockFolder(options)
      const sources = sourcesOf(identity)
      const endedInOrder = (await readEndMarker(disk, folder)) !== null
      const reading = {} as Record<Stream, StreamReaderOptions>
      for (const stream of streams) reading[stream] = await examined(options, stream, sources[stream], endedInOrder)
      return new StoppedLog(identity, reading, lock.handOver())
    })
  }

  private constructor(identity: Identity, reading: Record<Stream, StreamReaderOptions>, lock: AsyncDisposable) {
    this.identity = identity
    this.#streams = reading
    this.#lock = lock
  }

  /** `follow` changes nothing: nobody writes. */
  read(stream: Stream, options: ReadOptions): AsyncIterable<readonly StoredRecord[]> {
    return readStream(this.#streams[stream], { ...options, follow: false })
  }

  head(stream: Stream): Position | null {
    const { next } = this.#streams[stream].recent
    return next === 0 ? null : positionOf(next - 1)
  }

  /** How many records a stream has, counted from its first one. */
  count(stream: Stream): number {
    return this.#streams[stream].recent.next
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of streams) this.#streams[stream].recent.close()
    await this.#lock[Symbol.asyncDispose]()
  }
}

async function examined(
  options: LockOptions,
  stream: Stream,
  source: string,
  endedInOrder: boolean,
): Promise<StreamReaderOptions> {
  const { disk, folder } = options
  const at = streamFolder(folder, stream)
  // After a crash an unfinished end is no damage: whoever starts the node next cuts it off.
  const found = await examineStream({ disk, stream, source, folder: at, endedInOrder })
  return {
    disk,
    source,
    folder: at,
    segments: found?.segments ?? new SegmentList([]),
    recent: new RecentRecords(0, found?.head.sequence ?? 0),
  }
}
