import type { RawRecord } from '../support/waybill.ts'
import type { ArchivedCall } from './archive.ts'

/**
 * Holds what callers were told against what is on record: every write that was answered as taken effect has exactly one
 * control record, every other one has none, and every call is an access record. Knows nothing of the program's insides.
 */

export interface Verdict {
  readonly effective: number
  readonly problems: readonly string[]
}

const reads = new Set(['GET', 'HEAD'])

/** The calls have to have been made one after the other. */
export function controlProblems(calls: readonly ArchivedCall[], control: readonly RawRecord[]): Verdict {
  const problems: string[] = []
  const changes = control.filter(({ revision }) => revision !== undefined)
  let revision = 0
  for (const call of calls) {
    const records = recordsOf(call, revision)
    if (records === 0) continue
    if (changes[revision] === undefined) problems.push(`${nameOf(call)} took effect and has no record`)
    const told = toldRevision(call) ?? revision + records
    if (told !== revision + records) problems.push(`${nameOf(call)} says revision ${told}, after ${revision} and ${records} records`)
    revision += records
  }
  if (changes.length !== revision) problems.push(`${changes.length} changes are on record, and ${revision} took effect by their answers`)
  if (control.length !== changes.length) problems.push(`${control.length - changes.length} control records are no changes`)
  changes.forEach((change, index) => {
    if (change.revision !== index + 1) problems.push(`change ${index + 1} on record has revision ${change.revision}`)
  })
  return { effective: revision, problems }
}

/** How many records the answer says that the call made. */
function recordsOf(call: ArchivedCall, before: number): number {
  const { body, method, path, query, replayed, status } = call
  if (reads.has(method) || status >= 300 || replayed || query.get('dry_run') === 'true') return 0
  if (path.startsWith('/api/connections')) return 0
  if (path === '/api/declarations') {
    const { applied, objects } = JSON.parse(body) as { applied: boolean; objects: Record<string, number> }
    return applied ? 1 + Object.values(objects).reduce((sum, count) => sum + count, 0) : 0
  }
  if (status === 201 || status === 204) return 1
  // 200 is a change too, unless everything was so already: then the ETag is of an earlier one.
  return (toldRevision(call) ?? before) > before ? 1 : 0
}

function toldRevision({ etag }: ArchivedCall): number | null {
  const digits = /^"(\d+)"$/.exec(etag ?? '')?.[1]
  return digits === undefined ? null : Number(digits)
}

/** Exempt calls are left out on both sides. There may be more reads on record: the tool looks around before it begins. */
export function accessProblems(calls: readonly ArchivedCall[], operations: readonly RawRecord[]): readonly string[] {
  const made = new Map<string, number>()
  const recorded = new Map<string, number>()
  for (const call of calls) if (!isExempt(call)) add(made, `${call.method} ${call.status}`, 1)
  for (const { data, type } of operations) {
    const { count, method, status } = data
    if (type === 'dev.waybill.access.granted.v1' && typeof method === 'string') add(recorded, `${method} ${String(status)}`, Number(count))
  }
  return [...new Set([...made.keys(), ...recorded.keys()])].flatMap((key) => {
    const [wanted, found] = [made.get(key) ?? 0, recorded.get(key) ?? 0]
    const enough = reads.has(key.split(' ', 1)[0]!) ? found >= wanted : found === wanted
    return enough ? [] : [`${key}: ${wanted} calls were made, and ${found} are on record`]
  })
}

function add(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

/** Probes, documents, and reads of audit data, which are on record in another way. */
function isExempt({ method, path, status }: ArchivedCall): boolean {
  if (!reads.has(method)) return false
  if (path.startsWith('/health/') || path === '/openapi.json' || path === '/docs') return status < 400 || status === 503
  return status === 200 && (path === '/api/events' || path === '/api/trail')
}

function nameOf({ method, path, status }: ArchivedCall): string {
  return `${method} ${path} (${status})`
}
