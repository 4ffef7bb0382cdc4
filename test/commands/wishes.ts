import { expect } from 'vitest'
import type { Declaration } from '../../events/values.ts'
import { decideAddBackend, type AddBackend } from '../../src/commands/backend.ts'
import { decideCreatePool, type CreatePool, type NewBackend } from '../../src/commands/create-pool.ts'
import type { RefusalCode, Request } from '../../src/commands/decision.ts'
import { given, type Given } from './decide.ts'

/** Commands as callers give them, everything at its default but what a test is about. */

export type Wish<Command extends Request> = Omit<Command, keyof Request>

export function pool(name: string, wish: Partial<Wish<CreatePool>> = {}): Wish<CreatePool> {
  return {
    name,
    algorithm: 'least_connections',
    allowPlaintext: false,
    backends: [],
    businessNeed: null,
    declaration: null,
    defaultRoute: null,
    drainTimeoutMs: null,
    healthCheckIntervalMs: 10_000,
    listen: null,
    minTlsVersion: null,
    owner: null,
    rejectEch: false,
    serverNames: [],
    ...wish,
  }
}

/** A pool that clients reach by a name of its own. */
export function named(name: string, wish: Partial<Wish<CreatePool>> = {}): Wish<CreatePool> {
  return pool(name, { serverNames: [`${name}.example.com`], ...wish })
}

export function backend(poolName: string, host: string, wish: Partial<Wish<AddBackend>> = {}): Wish<AddBackend> {
  return { declaration: null, pool: poolName, url: `https://${host}`, weight: 1, ...wish }
}

export function inline(host: string, wish: Partial<NewBackend> = {}): NewBackend {
  return { declaration: null, url: `https://${host}`, weight: 1, ...wish }
}

export const fileA = '/etc/waybill/a.yaml'
export const fileB = '/etc/waybill/b.yaml'
export function declaredIn(file: string, ...fields: string[]): NonNullable<Declaration> {
  return { fields, file }
}

/** Pool `app` with one backend, `a:443`, at revision 2. */
export function givenApp(wish: Partial<Wish<CreatePool>> = {}): Given {
  return given().and(decideCreatePool, named('app', wish)).and(decideAddBackend, backend('app', 'a', { weight: 3 }))
}
export const appBackend = { pool: 'app', id: 'a:443' } as const

export function refusal(code: RefusalCode, field?: string) {
  return { refusal: expect.objectContaining(field === undefined ? { code } : { code, field }) as unknown }
}

/** The record's data, which the test looks at in parts. */
export function recordWith(data: object) {
  return { record: expect.objectContaining({ data: expect.objectContaining(data) as unknown }) as unknown }
}
