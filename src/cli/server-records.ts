import type { IncomingMessage } from 'node:http'
import { positionHeader } from '../api/schemas-events.ts'
import { Fault, messageOf } from '../core/errors.ts'
import { get } from './api-client.ts'
import { noServer, serverOf, type TargetOptions } from './verb.ts'

/** Records as a running server gives them: their exact bytes, one by one. */

/** Throws `no_server` where nobody listens, and `broken_off` when the answer ends before it is whole. */
export async function* recordsOfServer(options: TargetOptions, query: Readonly<Record<string, string>>): AsyncGenerator<Buffer> {
  const records = await openRecords(options, query)
  if (records === null) throw noServer(options, 'answer')
  yield* records
}

/** Null when nobody listens there. */
export async function openRecords(options: TargetOptions, query: Readonly<Record<string, string>>): Promise<AsyncGenerator<Buffer> | null> {
  const response = await get(serverOf(options), `/api/events?${new URLSearchParams(query).toString()}`)
  return response === null ? null : linesOf(response)
}

/**
 * The first `limit` records, page by page. `onEnd` is told where to go on; a page later than the last one that there is
 * by now is empty, and the position stays. Null when nobody listens there.
 */
export async function openPages(
  options: TargetOptions,
  query: Readonly<Record<string, string>>,
  limit: number,
  onEnd: (position: string) => void,
): Promise<AsyncGenerator<Buffer> | null> {
  const server = serverOf(options)
  const pageAfter = (position: string | undefined, left: number): ReturnType<typeof get> => {
    const asked = { ...query, ...(position === undefined ? {} : { after: position }), limit: String(Math.min(left, pageRecords)) }
    return get(server, `/api/events?${new URLSearchParams(asked).toString()}`)
  }
  const first = await pageAfter(query['after'], limit)
  if (first === null) return null
  return (async function* pages() {
    let left = limit
    for (let page: IncomingMessage | null = first; page !== null; ) {
      for await (const line of linesOf(page)) {
        left -= 1
        yield line
      }
      const position = String(page.headers[positionHeader])
      const more = page.headers['link'] !== undefined
      if (left === 0 || !more) {
        onEnd(position)
        return
      }
      page = await pageAfter(position, left)
    }
    throw noServer(options, 'go on')
  })()
}

/** The most that the API gives at once. */
const pageRecords = 1_000

async function* linesOf(response: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const lines = new LineSplitter()
  const chunks = response[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw new Fault('broken_off', 'network', `the server broke off, so this is not all: ${messageOf(error)}`, { cause: error })
      })
      if (next.done === true) return
      yield* lines.take(next.value)
    }
  } finally {
    await chunks.return?.()
  }
}

/** Cuts chunks into lines; a record is at most 60,000 bytes, so the rest that waits stays small. */
class LineSplitter {
  #rest: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      lines.push(bytes.subarray(0, end))
      bytes = bytes.subarray(end + 1)
    }
    this.#rest = bytes
    return lines
  }
}
