import { streams } from '../../events/define.ts'
import type { Evidence } from './evidence.ts'
import { firstPrevhash, type LogRecord } from './log-reader.ts'

/** What holds for the records as records, over all process lives: the chain, the ids, and one owner for each run. */
export function checkChain({ log, lives }: Evidence): string[] {
  const problems: string[] = []
  const ids = new Set<string>()
  for (const stream of streams) {
    let prevhash = firstPrevhash
    const sources = new Set<string>()
    for (const [index, { hash, json }] of log[stream].entries()) {
      if (json.sequence !== String(index).padStart(20, '0')) problems.push(`${stream} ${index}: its sequence is ${json.sequence}`)
      if (json.prevhash !== prevhash) problems.push(`${stream} ${index}: its prevhash is not the hash of the record before it`)
      if (ids.has(json.id)) problems.push(`${stream} ${index}: its id ${json.id} was there before`)
      ids.add(json.id)
      sources.add(json.source)
      prevhash = hash
    }
    if (sources.size > 1) problems.push(`${stream}: ${sources.size} sources in one folder`)
    problems.push(...interleaved(stream, log[stream]))
  }
  const known = new Set(lives.flatMap(({ run }) => run ?? []))
  for (const { json } of log.connections) {
    const startedOnly = json.type.endsWith('connection.closed.v1') && json.data.close.because === 'node_lost'
    if (!known.has(json.run) && !startedOnly) problems.push(`a connection record of run ${json.run}, which never accepted anybody`)
  }
  return problems
}

/** A run that was followed by another one writes no more. */
function interleaved(stream: string, records: readonly LogRecord[]): string[] {
  const over = new Set<string>()
  let current: string | null = null
  const problems: string[] = []
  for (const { json } of records) {
    if (json.run === current) continue
    if (over.has(json.run)) problems.push(`${stream}: run ${json.run} writes after its successor`)
    if (current !== null) over.add(current)
    current = json.run
  }
  return problems
}
