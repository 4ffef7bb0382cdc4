import { effectiveOf } from './check-changes.ts'
import { brokenTerms, is } from './check-connections.ts'
import type { Evidence } from './evidence.ts'
import type { LogRecord } from './log-reader.ts'

/**
 * What was let in without a name that leads somewhere: only where the configuration that it was routed by says so, in
 * words read from the records alone. And backends that broke the terms gave their clients nothing.
 */
export function checkPolicy({ log }: Evidence): string[] {
  const configurations = configurationsOf(effectiveOf(log.control))
  const problems: string[] = []
  for (const record of log.connections) {
    if (!is(record, 'opened')) continue
    const { connection_id, encrypted, listener, pool, revision, routed_by, server_name } = record.json.data
    const say = (what: string): void => void problems.push(`${connection_id}, routed by ${routed_by} in revision ${revision}: ${what}`)
    const configuration = configurations[revision]
    if (configuration === undefined) {
      say('there is no such revision')
      continue
    }
    const answer = configuration.answers.get(`${listener} ${routed_by}`)
    const readable = routed_by === 'no_sni' || routed_by === 'unknown_sni'
    if (routed_by === 'server_name') {
      if (server_name === null || !configuration.pools.get(pool)?.server_names.includes(server_name)) say(`pool ${pool} does not claim ${server_name}`)
    } else if (routed_by === 'listener') {
      if (listener !== `pools/${pool}`) say(`listener ${listener} is not that of ${pool}`)
    } else if (answer?.pool !== pool && !(answer === undefined && readable && configuration.pools.get(pool)?.default_route)) {
      say(`listener ${listener} says ${JSON.stringify(answer ?? null)}, and it went to ${pool}`)
    }
    if (encrypted !== (routed_by === 'not_tls' ? false : readable || routed_by === 'server_name' || routed_by === 'listener' ? true : null)) {
      say(`encrypted is ${encrypted}`)
    }
    if (encrypted === false && configuration.pools.get(pool)?.allow_plaintext !== true) say(`pool ${pool} does not allow plaintext`)
  }
  for (const { json } of log.connections.filter((record) => is(record, 'closed'))) {
    const { bytes_to_client, close, connection_id } = json.data
    if (brokenTerms.has(close.because) && bytes_to_client > 0) problems.push(`${connection_id}: ${close.because}, after ${bytes_to_client} bytes`)
  }
  return problems
}

interface Configuration {
  readonly pools: ReadonlyMap<string, LogRecord['json']>
  /** `<listener> <case>` to what was set. */
  readonly answers: ReadonlyMap<string, LogRecord['json']>
}

/** By revision. */
function configurationsOf(effective: readonly LogRecord[]): readonly Configuration[] {
  const all: Configuration[] = [{ pools: new Map(), answers: new Map() }]
  for (const { json } of effective) all.push(after(all.at(-1)!, json))
  return all
}

function after({ answers: oldAnswers, pools: oldPools }: Configuration, { data, type }: LogRecord['json']): Configuration {
  const [answers, pools] = [new Map(oldAnswers), new Map(oldPools)]
  if (type === 'dev.waybill.pool.created.v1') pools.set(data.name, data)
  else if (type === 'dev.waybill.pool.changed.v1') pools.set(data.name, { ...pools.get(data.name), ...data.set })
  else if (type === 'dev.waybill.pool.removed.v1') pools.delete(data.name)
  else if (type === 'dev.waybill.listener.changed.v1') {
    for (const [what, answer] of Object.entries(data.set)) {
      if (answer === null) answers.delete(`${data.listener} ${what}`)
      else answers.set(`${data.listener} ${what}`, answer)
    }
  }
  for (const key of answers.keys()) {
    const own = /^pools\/(\S+) /.exec(key)?.[1]
    if (own !== undefined && (pools.get(own)?.listen ?? null) === null) answers.delete(key)
  }
  return { answers, pools }
}
