import { streams, type Stream } from '../../../events/define.ts'
import { readChainLink } from '../../../events/envelope.ts'
import { Fault } from '../../core/errors.ts'
import type { ChainHead } from '../batch.ts'
import type { EventLog, Position, ReadOptions, StoredRecord } from '../event-log.ts'
import { positionOf, RecentRecords } from '../recent-records.ts'
import { streamBeginning } from './beginning.ts'
import { readEndMarker, readIdentity, type Identity } from './folder.ts'
import { controlCopyName, lockFolder, naming, sourcesOf, streamFolder, type LockOptions } from './open-folder.ts'
import { examineStream } from './recovery.ts'
import { SegmentList } from './segments.ts'
import { readStream, type StreamReaderOptions } from './stream-reader.ts'

/**
 * A log folder that nobody serves, opened for reading by a command line: it holds the folder's lock until disposed,
 * changes nothing, and does not show what a crash left unfinished. Control of a cluster's node is that of the cluster.
 */
export class StoppedLog implements Pick<EventLog, 'read' | 'head'>, AsyncDisposable {
  readonly identity: Identity
  /** Whether control is read from the copy of the cluster's: then the folder alone does not say how to go on. */
  readonly readsCopy: boolean
  readonly #lock: AsyncDisposable
  /** What this node wrote. */
  readonly #own: Readonly<Record<Stream, StreamReaderOptions>>
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
      const own = {} as Record<Stream, StreamReaderOptions>
      for (const stream of streams) own[stream] = await examined(options, stream, { endedInOrder, name: stream, source: sources[stream] })
      const copy = await examined(options, 'control', { endedInOrder: false, name: controlCopyName, source: null })
      const control = (await knowsMore(copy, own.control)) ? copy : own.control
      return new StoppedLog(identity, own, control, lock.handOver())
    })
  }

  private constructor(identity: Identity, own: Record<Stream, StreamReaderOptions>, control: StreamReaderOptions, lock: AsyncDisposable) {
    this.identity = identity
    this.readsCopy = control !== own.control
    this.#own = own
    this.#streams = { ...own, control }
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

  /** How many records a stream has here. */
  count(stream: Stream): number {
    return countIn(this.#streams[stream])
  }

  /** As `read`, but only what this node wrote, also of control. */
  readOwn(stream: Stream, options: ReadOptions): AsyncIterable<readonly StoredRecord[]> {
    return readStream(this.#own[stream], { ...options, follow: false })
  }

  countOwn(stream: Stream): number {
    return countIn(this.#own[stream])
  }

  /** Place of the first record of what this node wrote that is still here. */
  beginning(stream: Stream): ChainHead {
    return this.#own[stream].segments.beginning
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { recent } of [...Object.values(this.#own), this.#streams.control]) recent.close()
    await this.#lock[Symbol.asyncDispose]()
  }
}

function countIn({ recent, segments }: StreamReaderOptions): number {
  return recent.next - segments.beginning.sequence
}

interface Examined {
  /** Of its folder. */
  readonly name: string
  /** Null: of many. */
  readonly source: string | null
  readonly endedInOrder: boolean
}

async function examined({ disk, folder }: LockOptions, stream: Stream, { endedInOrder, name, source }: Examined): Promise<StreamReaderOptions> {
  const at = streamFolder(folder, name)
  // After a crash an unfinished end is no damage: whoever starts the node next cuts it off.
  const found = await examineStream({ disk, stream, source, folder: at, endedInOrder })
  return {
    disk,
    source,
    folder: at,
    segments: found?.segments ?? new SegmentList([], streamBeginning),
    recent: new RecentRecords(0, found?.head.sequence ?? 0),
  }
}

/**
 * A copy that has nothing of others is the beginning of what the node itself wrote: it may have gone on without a cluster,
 * or may not have got all of it there.
 */
async function knowsMore(copy: StreamReaderOptions, own: StreamReaderOptions): Promise<boolean> {
  if (copy.recent.next > own.recent.next) return true
  for await (const batch of readStream(copy, { after: null, follow: false })) {
    for (const { bytes } of batch) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
      if (readChainLink(text)?.source !== own.source) return true
    }
  }
  return false
}
