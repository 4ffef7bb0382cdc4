import type { HTTPMethods } from 'fastify'
import type { Api } from './context.ts'
import { Problem } from './problem.ts'

/** Answers 405 with the methods an address does take, instead of a 404 that denies that it exists. */

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'TRACE']

/** Call it before the routes are made, and what it returns after. */
export function refuseOtherMethods(app: Api): () => void {
  const taken = new Map<string, Set<string>>()
  let watching = true
  app.addHook('onRoute', ({ method, url }) => {
    if (!watching) return
    const known = taken.get(url) ?? new Set()
    for (const one of [method].flat()) known.add(one)
    taken.set(url, known)
  })
  return () => {
    watching = false
    for (const [url, known] of taken) refuse(app, url, known)
  }
}

function refuse(app: Api, url: string, known: ReadonlySet<string>): void {
  const allow = methods.filter((method) => known.has(method)).join(', ')
  app.route({
    method: methods.filter((method) => !known.has(method)),
    url,
    exposeHeadRoute: false,
    schema: { hide: true },
    // Before the body is read: what is in it does not matter.
    onRequest: async (request) => {
      throw new Problem('method_not_allowed', `${request.method} is not possible here; use ${allow}.`, { headers: { allow } })
    },
    handler: async () => {},
  })
}
