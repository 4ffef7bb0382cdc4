import { nodes, type Nodes } from '../../../projections/nodes.ts'
import type { Disk } from '../../core/disk.ts'
import { errnoOf, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { ClusterPosition } from '../../log/cluster-log.ts'
import type { SourceHeads } from '../cluster-intake.ts'
import { jsonPieces, parseMapJson } from './map-json.ts'
import { readSnapshotFile, writeSnapshotFile } from './snapshot-file.ts'

/**
 * Keeps what is known of the other nodes beside the other snapshots, so that a start need not listen to a week of
 * reports. Only ever a cache: whatever is wrong with it costs time and nothing else.
 */

const fileName = 'cluster.snapshot'

export interface ClusterViewState {
  readonly heads: SourceHeads
  readonly heardMs: ReadonlyMap<string, number>
  readonly nodes: Nodes
  readonly position: ClusterPosition
}

export interface ClusterViewFileOptions {
  readonly disk: Disk
  readonly folder: string
  readonly logger: Logger
  /** Written only while more than this is free: below it the disk belongs to the log. */
  readonly freeBytesMin: number
  /** Of the log that the positions are of: a state from another one is not used. */
  readonly origin: string
}

export class ClusterViewFile {
  readonly #options: ClusterViewFileOptions
  readonly #header: string

  constructor(options: ClusterViewFileOptions) {
    this.#options = options
    this.#header = JSON.stringify({ kind: 'cluster', folds: [`${nodes.name}@${nodes.version}`], origin: options.origin })
  }

  /** Null: there is none that may be used. */
  async load(): Promise<ClusterViewState | null> {
    const { disk, folder, logger } = this.#options
    try {
      const lines = await readSnapshotFile(disk, `${folder}/${fileName}`)
      const problem = 'problem' in lines ? lines.problem : lines[0] === this.#header && lines.length === 2 ? null : 'it is of another version or log'
      if (problem === null && !('problem' in lines)) return parseMapJson(lines[1]!) as ClusterViewState
      logger.warn('the snapshot of the other nodes is not used; they are listened to again', { file: fileName, problem })
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') logger.warn('the snapshot of the other nodes could not be read', { error: messageOf(error) })
    }
    return null
  }

  /** Resolves when it is written or can't be. */
  async save(state: ClusterViewState): Promise<void> {
    const { disk, folder, freeBytesMin, logger } = this.#options
    try {
      await disk.makeFolder(folder)
      await writeSnapshotFile(disk, folder, fileName, this.#text(state), async () => (await disk.space(folder)).freeBytes > freeBytesMin)
    } catch (error) {
      logger.warn('the snapshot of the other nodes could not be written; a start would take longer', { error: messageOf(error) })
    }
  }

  *#text(state: ClusterViewState): Generator<string> {
    yield `${this.#header}\n`
    yield* jsonPieces(state)
    yield '\n'
  }
}
