import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { idMaker } from '../../../src/core/ids.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemDisk } from '../../../src/core/system/disk.ts'
import { systemRandom } from '../../../src/core/system/random.ts'
import { FileLog } from '../../../src/log/file/file-log.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { fileLogOptions } from '../file-logs.ts'
import { MemoryDisk } from '../memory-disk.ts'
import { TemporaryFolder } from '../waybill.ts'
import { openKafkaLog, type NodeOnKafka } from './logs.ts'

/** An epoch says when it began, as that of a real node. */
const makeId = idMaker(systemClock, systemRandom)

/** A node's data folder on a real disk, which a test can copy and damage while nobody has it. */

export class NodeFolder implements Disposable {
  readonly #folder = new TemporaryFolder()

  get path(): string {
    return join(this.#folder.path, 'data')
  }

  open({ options, ...where }: Omit<NodeOnKafka, 'disk'>): Promise<KafkaLog> {
    return openKafkaLog({ ...where, disk: new MemoryDisk(), options: { disk: systemDisk, folder: this.path, makeId, ...options } })
  }

  /** As a node that knows of no Kafka. */
  openAlone(): Promise<FileLog> {
    return FileLog.open(fileLogOptions(new MemoryDisk(), { disk: systemDisk, folder: this.path, makeId }))
  }

  /** Another folder with what is in this one. */
  copy(): NodeFolder {
    const copy = new NodeFolder()
    cpSync(this.path, copy.path, { recursive: true })
    return copy
  }

  /** What was set aside from it, as a folder. */
  earlier(epoch: string): NodeFolder {
    const copy = new NodeFolder()
    cpSync(join(this.path, 'earlier', epoch), copy.path, { recursive: true })
    return copy
  }

  /** A file as the other folder has it. */
  take(name: string, from: NodeFolder): void {
    cpSync(join(from.path, name), join(this.path, name))
  }

  has(name: string): boolean {
    return existsSync(join(this.path, name))
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { recursive: true })
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}
