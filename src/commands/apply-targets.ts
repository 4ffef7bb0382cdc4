import type { Algorithm, Declaration, MinTlsVersion } from '../../events/values.ts'
import type { ListenerPolicy } from '../../projections/listeners.ts'
import type { Backend, Pool } from '../../projections/routing.ts'
import { parseBackendUrl } from './backend-url.ts'
import { refuse, type Refusal } from './decision.ts'
import type { PoolChanges } from './change-pool.ts'
import { canonicalListen, canonicalServerNames } from './pool-rules.ts'

/** What a declaration file wants of its pools, in the spelling of the records, so that it can be compared with what is. */

export interface DeclaredBackend {
  /** As written. */
  readonly url: string
  readonly weight?: number | undefined
}

/** Fields as in the file. What is left out is not declared. */
export interface DeclaredPool {
  readonly name: string
  readonly algorithm?: Algorithm | undefined
  readonly allow_plaintext?: boolean | undefined
  readonly backends?: readonly DeclaredBackend[] | undefined
  readonly business_need?: string | null | undefined
  readonly default_route?: boolean | undefined
  readonly drain_timeout?: number | null | undefined
  readonly health_check_interval?: number | undefined
  readonly listen?: string | number | null | undefined
  readonly min_tls_version?: MinTlsVersion | undefined
  readonly owner?: string | null | undefined
  readonly reject_ech?: boolean | undefined
  readonly server_names?: readonly string[] | undefined
}

/** Where in the file: `['pools', 3, 'backends', 0]`. */
export type Path = readonly (string | number)[]

/** Something of the file that the rules refuse. */
export interface Misfit {
  readonly path: Path
  readonly refusal: Refusal
}

export interface BackendTarget {
  readonly path: Path
  /** Canonical `host:port`. */
  readonly id: string
  readonly url: string
  /** Null: not declared. */
  readonly weight: number | null
  readonly declaration: NonNullable<Declaration>
}

export interface PoolTarget {
  readonly path: Path
  readonly name: string
  /** Declared fields only, but for the backends. Canonical. */
  readonly fields: PoolChanges
  /** Null: not declared. */
  readonly backends: readonly BackendTarget[] | null
  readonly declaration: NonNullable<Declaration>
}

/** What a pool is like of which nothing more is said; what a file no longer declares goes back to it. */
export const poolDefaults = {
  algorithm: 'least_connections',
  allowPlaintext: false,
  businessNeed: null,
  defaultRoute: false,
  drainTimeoutMs: null,
  healthCheckIntervalMs: 10_000,
  listen: null,
  minTlsVersion: null,
  owner: null,
  rejectEch: false,
  serverNames: [],
} as const satisfies PoolChanges
export const weightDefault = 1

/** The words of the file and of the commands for one thing. */
const fieldNames = {
  algorithm: 'algorithm',
  allow_plaintext: 'allowPlaintext',
  business_need: 'businessNeed',
  default_route: 'defaultRoute',
  drain_timeout: 'drainTimeoutMs',
  health_check_interval: 'healthCheckIntervalMs',
  listen: 'listen',
  min_tls_version: 'minTlsVersion',
  owner: 'owner',
  reject_ech: 'rejectEch',
  server_names: 'serverNames',
} as const satisfies Partial<Record<keyof DeclaredPool, keyof PoolChanges>>

type FieldName = keyof typeof fieldNames

export function targetsOf(pools: readonly DeclaredPool[], file: string): { targets: PoolTarget[] } | { misfits: Misfit[] } {
  const read = pools.map((pool, index) => poolTarget(pool, ['pools', index], file))
  const misfits = read.flatMap((one) => ('misfits' in one ? one.misfits : []))
  return misfits.length > 0 ? { misfits } : { targets: read.flatMap((one) => ('target' in one ? [one.target] : [])) }
}

/** Everything that the file sets, and what it set before and no longer does. */
export function changesTo(pool: Pool, { declaration, fields }: PoolTarget): PoolChanges {
  const before = ownedFields(pool, declaration.file)
  const released: Partial<Record<string, unknown>> = {}
  for (const [written, field] of Object.entries(fieldNames)) {
    if (before.includes(written) && !declaration.fields.includes(written)) released[field] = poolDefaults[field]
  }
  return { ...released, ...fields, declaration }
}

export function changesToBackend(backend: Backend, { declaration, weight }: BackendTarget): { declaration: Declaration; weight?: number } {
  if (weight !== null) return { declaration, weight }
  return ownedFields(backend, declaration.file).includes('weight') ? { declaration, weight: weightDefault } : { declaration }
}

export function ownedBy({ declaration }: Pick<Backend | ListenerPolicy | Pool, 'declaration'>, file: string): boolean {
  return declaration?.file === file
}

/** What the file declared of it. */
export function ownedFields({ declaration }: Pick<Backend | ListenerPolicy | Pool, 'declaration'>, file: string): readonly string[] {
  return declaration?.file === file ? declaration.fields : []
}

function poolTarget(pool: DeclaredPool, path: Path, file: string): { target: PoolTarget } | { misfits: Misfit[] } {
  const misfits: Misfit[] = []
  const take = <Value>(read: { value: Value } | { refusal: Refusal }): Value | undefined => {
    if ('value' in read) return read.value
    misfits.push({ path: [...path, ...pathOf(read.refusal)], refusal: read.refusal })
    return undefined
  }
  const listen = pool.listen === undefined ? undefined : take(canonicalListen(pool.listen))
  const serverNames = pool.server_names === undefined ? undefined : take(canonicalServerNames(pool.server_names))
  const backends = pool.backends === undefined ? null : backendTargets(pool.backends, [...path, 'backends'], file, misfits)
  if (misfits.length > 0) return { misfits }
  const canonical: Partial<Record<FieldName, unknown>> = { ...pool, listen, server_names: serverNames }
  const written = (Object.keys(fieldNames) as FieldName[]).filter((field) => canonical[field] !== undefined)
  const fields: PoolChanges = Object.fromEntries(written.map((field) => [fieldNames[field], canonical[field]]))
  const declared = backends === null ? written : [...written, 'backends'].toSorted()
  return { target: { backends, declaration: { fields: declared, file }, fields, name: pool.name, path } }
}

function backendTargets(written: readonly DeclaredBackend[], path: Path, file: string, misfits: Misfit[]): BackendTarget[] {
  const targets = new Map<string, BackendTarget>()
  for (const [index, { url, weight }] of written.entries()) {
    const own = [...path, index, 'url']
    const address = parseBackendUrl(url)
    if ('problem' in address) misfits.push({ path: own, ...refuse('backend_url_invalid', `url: ${address.problem}.`) })
    else if (targets.has(address.value.id)) {
      misfits.push({ path: own, ...refuse('backend_exists', `url: ${address.value.id} stands in the list twice.`) })
    } else {
      const { id } = address.value
      const declaration = { fields: weight === undefined ? [] : ['weight'], file }
      targets.set(id, { declaration, id, path: [...path, index], url, weight: weight ?? null })
    }
  }
  return [...targets.values()]
}

/** A refusal names its field as the API does: `server_names.0`. */
export function pathOf({ field }: Refusal): Path {
  return field === undefined ? [] : field.split('.').map((step) => (/^[0-9]+$/.test(step) ? Number(step) : step))
}
