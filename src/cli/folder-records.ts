import type { Stream } from '../../events/define.ts'
import type { Position } from '../log/event-log.ts'
import { isTerminal, progressOf } from './progress.ts'
import type { VerbPorts } from './verb.ts'

/** Records straight from the files of a folder that nobody serves. */

interface FolderReading {
  readonly verb: string
  readonly data: string
  readonly streams: readonly Stream[]
  /** Of one stream; from the first record when left out. */
  readonly after?: string
  readonly matches: (bytes: Uint8Array) => boolean
}

/** Holds the folder for as long as it is read; a server that starts meanwhile waits, and then says who reads. */
export async function* readFolder(ports: VerbPorts, { after, data, matches, streams, verb }: FolderReading): AsyncGenerator<Buffer> {
  await using log = await ports.openFolder(data, verb)
  const total = streams.reduce((sum, stream) => sum + log.count(stream), 0)
  using progress = progressOf(ports, 'records read', total, isTerminal(ports.stdout))
  for (const stream of streams) {
    const position = after === undefined ? null : (after as Position)
    for await (const batch of log.read(stream, { after: position, follow: false })) {
      progress.add(batch.length)
      for (const { bytes } of batch) {
        if (matches(bytes)) yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      }
    }
  }
}
