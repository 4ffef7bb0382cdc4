import { z } from 'zod'

/**
 * Pages of a list whose entries have keys in a fixed order. The cursor is the key of the last entry shown, so that
 * entries which come and go in between are neither shown twice nor passed over.
 */

export const pageEntriesMax = 1_000
const pageEntriesDefault = 100

export const PageQuery = z.strictObject({
  limit: z
    .preprocess(numberIn, z.int().min(1).max(pageEntriesMax))
    .default(pageEntriesDefault)
    .meta({ description: 'Entries in one answer at most.' }),
  cursor: z.string().min(1).max(400).optional().meta({ description: '`next_cursor` of the answer before; opaque.' }),
})

export const NextCursor = z.string().nullable().meta({ description: 'For the next page; null when this was the last one.' })

export interface Page<Entry> {
  readonly entries: readonly Entry[]
  readonly next: string | null
}

/** Up to `limit` of the entries, which come in the order of their keys, from the first one after the cursor. */
export function pageOf<Entry>(
  entries: Iterable<Entry>,
  keyOf: (entry: Entry) => string,
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): Page<Entry> {
  const page: Entry[] = []
  for (const entry of entries) {
    if (cursor !== undefined && keyOf(entry) <= cursor) continue
    if (page.length === limit) return { entries: page, next: keyOf(page.at(-1)!) }
    page.push(entry)
  }
  return { entries: page, next: null }
}

/** Plain digits only: `Number` also reads `0x10`, `1e2`, spaces and nothing at all. */
function numberIn(value: unknown): unknown {
  return typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : value
}
