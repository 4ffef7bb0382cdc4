import type { Pool } from './routing.ts'

/**
 * Which pool a server name leads to. Exact beats wildcards, the longest wildcard wins, and of two as long the one that
 * stands for a single label: the order in which names were claimed never matters.
 */

export interface ServerNames {
  /** Exact server name to pool. */
  readonly exactNames: ReadonlyMap<string, string>
  /** `example.com` to the pool that claims `*.example.com`: one label (RFC 9525, section 6.3). */
  readonly wildcardNames: ReadonlyMap<string, string>
  /** `example.com` to the pool that claims `**.example.com`: one label or more. */
  readonly anyDepthNames: ReadonlyMap<string, string>
}

/** The tables of all pools. Of two pools that claim one name, which only a foreign log could hold, the first has it. */
export function namesOf(pools: Iterable<Pick<Pool, 'name' | 'serverNames'>>): ServerNames {
  const names = { exactNames: new Map<string, string>(), wildcardNames: new Map<string, string>(), anyDepthNames: new Map<string, string>() }
  for (const pool of pools) {
    for (const pattern of pool.serverNames) {
      const { table, key } = placeOf(pattern)
      if (!names[table].has(key)) names[table].set(key, pool.name)
    }
  }
  return names
}

function placeOf(pattern: string): { readonly table: keyof ServerNames; readonly key: string } {
  if (pattern.startsWith('**.')) return { table: 'anyDepthNames', key: pattern.slice(3) }
  return pattern.startsWith('*.') ? { table: 'wildcardNames', key: pattern.slice(2) } : { table: 'exactNames', key: pattern }
}

/** The pool that claims this very pattern. */
export function holderOf(names: ServerNames, pattern: string): string | null {
  const { table, key } = placeOf(pattern)
  return names[table].get(key) ?? null
}

/** Every pattern that is claimed, with the pool that has it. */
export function* claimedNames(names: ServerNames): Generator<readonly [pattern: string, pool: string]> {
  yield* names.exactNames
  for (const [name, pool] of names.wildcardNames) yield [`*.${name}`, pool]
  for (const [name, pool] of names.anyDepthNames) yield [`**.${name}`, pool]
}

/** `name` in lower case, without a trailing dot. */
export function poolOfName(names: ServerNames, name: string): string | null {
  const exact = names.exactNames.get(name)
  if (exact !== undefined) return exact
  let dot = name.indexOf('.')
  if (dot <= 0) return null
  const oneLabel = names.wildcardNames.get(name.slice(dot + 1))
  if (oneLabel !== undefined) return oneLabel
  if (names.anyDepthNames.size === 0) return null
  for (; dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const anyDepth = names.anyDepthNames.get(name.slice(dot + 1))
    if (anyDepth !== undefined) return anyDepth
  }
  return null
}
