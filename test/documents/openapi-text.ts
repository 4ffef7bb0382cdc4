import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { addRoutes } from '../../src/api/app.ts'
import type { Api, ApiContext } from '../../src/api/context.ts'
import type { OpenApiDocument } from '../../src/api/openapi-page.ts'
import { validatorCompiler } from '../../src/api/validation.ts'
import { completed } from './openapi-complete.ts'

/** docs/openapi.json, made from the routes of the API and the schemas that check what goes in and out of them. */

/** Of the API's meaning: what is added to it does not change this, what is taken away does. */
const apiVersion = '1'

const info = {
  title: 'Waybill',
  version: apiVersion,
  description:
    'The REST API of a Waybill node, an audited TLS-passthrough proxy. Every change is one record in the log, and every ' +
    'call is on record. Errors are application/problem+json (RFC 9457) with a stable `code`.',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
}

const tags = [
  { name: 'pools', description: 'Named sets of backends, and what leads to them.' },
  { name: 'backends', description: 'The addresses in a pool.' },
  { name: 'connections', description: 'What is open on this node now.' },
  { name: 'listeners', description: 'Where this node accepts clients.' },
  { name: 'nodes', description: 'The nodes that share the log.' },
  { name: 'state', description: 'The configuration, now and at any moment of the past.' },
  { name: 'declarations', description: 'Declaration files: pools, backends and settings as a whole.' },
  { name: 'events', description: 'The records of the log.' },
  { name: 'health', description: 'For probes and scrapers.' },
]

export async function openApiText(): Promise<string> {
  const app: Api = Fastify().withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(() => JSON.stringify)
  await app.register(swagger, {
    openapi: { openapi: '3.1.1', info, tags },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
    convertConstToEnum: false,
  })
  // Routes only hold what they were given until somebody calls them.
  await app.register(async (routes: Api) => addRoutes(routes, {} as ApiContext))
  await app.ready()
  return `${JSON.stringify(completed(app.swagger() as unknown as OpenApiDocument), null, 2)}\n`
}
