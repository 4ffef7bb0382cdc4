import type { Stream } from '../../../../events/define.ts'
import { commitBytesMax } from '../../../core/limits.ts'
import type { StoredRecord } from '../../event-log.ts'
import type { FileLog } from '../../file/file-log.ts'

/** Puts records that Kafka has into a node's own log, in commits of bounded size. */
export class TakingBack {
  readonly #file: Pick<FileLog, 'takeBack'>
  readonly #stream: Stream
  #waiting: Pick<StoredRecord, 'bytes' | 'leafHash'>[] = []
  #bytes = 0
  #count = 0

  constructor(file: Pick<FileLog, 'takeBack'>, stream: Stream) {
    this.#file = file
    this.#stream = stream
  }

  /** Records that are on disk. */
  get count(): number {
    return this.#count
  }

  /** The next record of the chain. Throws a `Fault` when the disk does not take what came before. */
  async add(record: Pick<StoredRecord, 'bytes' | 'leafHash'>): Promise<void> {
    if (this.#bytes + record.bytes.length + 1 > commitBytesMax) await this.store()
    this.#waiting.push(record)
    this.#bytes += record.bytes.length + 1
  }

  async store(): Promise<void> {
    if (this.#waiting.length > 0) await this.#file.takeBack(this.#stream, this.#waiting)
    this.#count += this.#waiting.length
    this.#waiting = []
    this.#bytes = 0
  }
}
