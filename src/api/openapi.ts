import document from '../../docs/openapi.json' with { type: 'json' }
import type { Api } from './context.ts'
import { pageOf, pagePolicy } from './openapi-page.ts'

/**
 * The OpenAPI document, and a page of it for people. It is made from the schemas that check requests and answers by
 * `npm run docs`, and a test holds it equal: to make it here would hold up the data path. Neither says anything of this
 * node, so who reads them is not on record.
 */
export function documentRoutes(app: Api): void {
  const text = JSON.stringify(document)
  let page: string | null = null
  const unlisted = { config: { unrecorded: true }, schema: { hide: true } } as const

  app.route({
    method: 'GET',
    url: '/openapi.json',
    ...unlisted,
    handler: async (_request, reply) => reply.type('application/json').send(text),
  })

  app.route({
    method: 'GET',
    url: '/docs',
    ...unlisted,
    handler: async (_request, reply) => {
      page ??= pageOf(document)
      return reply.type('text/html; charset=utf-8').header('content-security-policy', pagePolicy).send(page)
    },
  })
}
