import { configurationOf, type BackendDocument, type Configuration, type ListenerDocument, type PoolDocument } from '../../projections/configuration.ts'
import { listenerName } from '../../projections/listeners.ts'
import { Fault } from '../core/errors.ts'
import type { Moment } from '../live/snapshots/history.ts'
import { configurationAt } from '../live/time-travel.ts'
import { dataFolder, say, type TargetOptions, type VerbPorts } from './verb.ts'

/** The configuration folded from the files of a folder that nobody serves: what verbs show then. */

/** Later than any record: now. */
const farFuture = '9999-12-31T23:59:59.999Z'

export interface PastConfiguration {
  /** `at`: the time that was asked for, if it was one. */
  readonly moment: { readonly at?: string; readonly revision: number; readonly time: string | null }
  readonly configuration: Configuration
}

/** Of each moment, all from one look at the folder. */
export async function configurationsFromFiles(ports: VerbPorts, options: TargetOptions, verb: string, moments: readonly Moment[]): Promise<PastConfiguration[]> {
  await using log = await ports.openFolder(dataFolder(options), verb)
  const found: PastConfiguration[] = []
  for (const moment of moments) {
    const past = await configurationAt(log, moment, log.history)
    if (!('routing' in past)) {
      throw new Fault('revision_unknown', 'settings', `there is no revision ${past.unknown}; the newest one is ${past.newest}`)
    }
    const at = 'at' in moment && moment.at !== farFuture ? { at: moment.at } : {}
    found.push({ moment: { ...at, revision: past.revision, time: past.time }, configuration: configurationOf(past.routing) })
  }
  return found
}

/** From RFC 3339 or a revision; null: now. */
export function momentOf(text: string | null): Moment {
  if (text === null) return { at: farFuture }
  return /^[0-9]+$/.test(text) ? { revision: Number(text) } : { at: text }
}

export async function poolsFromFiles(ports: VerbPorts, options: TargetOptions): Promise<readonly PoolDocument[]> {
  const { pools } = await nowFromFiles(ports, options, 'pools')
  return pools
}

/** The whole of it, with a word on what files can't know. */
async function nowFromFiles(ports: VerbPorts, options: TargetOptions, verb: string): Promise<Configuration> {
  const [now] = await configurationsFromFiles(ports, options, verb, [momentOf(null)])
  say(ports, 'No server holds the folder: this is what its files say, without statistics and health.')
  return now!.configuration
}

/** With the address of those that have one in the configuration; that of the shared one is a setting. */
export async function listenersFromFiles(
  ports: VerbPorts,
  options: TargetOptions,
): Promise<readonly (ListenerDocument & { readonly address: string | null })[]> {
  const { listeners, pools } = await nowFromFiles(ports, options, 'listeners')
  const addresses = new Map(pools.map(({ listen, name }) => [listenerName(name), listen]))
  return listeners.map((listener) => ({ ...listener, address: addresses.get(listener.listener) ?? null }))
}

export async function listenerFromFiles(ports: VerbPorts, options: TargetOptions, name: string): Promise<ListenerDocument> {
  const found = (await listenersFromFiles(ports, options)).find(({ listener }) => listener === name)
  if (found === undefined) throw new Fault('listener_unknown', 'settings', `there is no listener "${name}"; waybill listeners list shows those that exist`)
  return found
}

export async function poolFromFiles(ports: VerbPorts, options: TargetOptions, name: string): Promise<PoolDocument> {
  const found = (await poolsFromFiles(ports, options)).find((pool) => pool.name === name)
  if (found === undefined) throw new Fault('pool_unknown', 'settings', `there is no pool "${name}"; waybill pools list shows those that exist`)
  return found
}

export async function backendFromFiles(ports: VerbPorts, options: TargetOptions, pool: string, id: string): Promise<BackendDocument> {
  const found = (await poolFromFiles(ports, options, pool)).backends.find((backend) => backend.id === id)
  if (found === undefined) throw new Fault('backend_unknown', 'settings', `pool "${pool}" has no backend ${id}; waybill backends list ${pool} shows those it has`)
  return found
}
