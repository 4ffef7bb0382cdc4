import { z } from 'zod'
import type { OpenConnectionNow } from '../live/node-view.ts'
import { callerOf } from './caller.ts'
import type { Api, ApiContext } from './context.ts'
import { NextCursor, pageOf, PageQuery } from './pagination.ts'
import { Problem, ProblemBody } from './problem.ts'
import { ConnectionParams, ConnectionsQuery, ConnectionView } from './schemas-connections.ts'
import { NoQuery } from './schemas.ts'
import { DryRun, refuseBody, WriteQuery } from './write.ts'

/** /api/connections: what is open on this node now, and ending one of them. */

type Filter = z.infer<typeof ConnectionsQuery>

export function connectionRoutes(app: Api, context: ApiContext): void {
  readRoutes(app, context)
  endRoute(app, context)
}

function readRoutes(app: Api, { connections }: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/connections',
    schema: {
      operationId: 'listConnections',
      summary: 'List the connections that are open on this node, oldest first',
      tags: ['connections'],
      querystring: z.strictObject({ ...ConnectionsQuery.shape, ...PageQuery.shape }),
      response: { 200: z.strictObject({ connections: z.array(ConnectionView), next_cursor: NextCursor }), 422: ProblemBody },
    },
    handler: async (request) => {
      const { cursor, limit, ...filter } = request.query
      const open = matching(connections.openConnections(cursor ?? null), filter)
      const page = pageOf(open, ({ opened }) => opened.connection_id, { cursor, limit })
      return { connections: page.entries.map(connectionView), next_cursor: page.next }
    },
  })

  app.route({
    method: 'GET',
    url: '/api/connections/:id',
    schema: {
      operationId: 'readConnection',
      summary: 'Read one open connection',
      tags: ['connections'],
      params: ConnectionParams,
      querystring: NoQuery,
      response: { 200: ConnectionView, 404: ProblemBody, 422: ProblemBody },
    },
    handler: async (request) => {
      const open = connections.openConnection(request.params.id)
      if (open === null) throw unknownConnection(request.params.id)
      return connectionView(open)
    },
  })
}

function endRoute(app: Api, { connections }: ApiContext): void {
  app.route({
    method: 'DELETE',
    url: '/api/connections/:id',
    schema: {
      operationId: 'endConnection',
      summary: 'End one open connection, with a reset to both sides; its closing record names who asked',
      tags: ['connections'],
      params: ConnectionParams,
      querystring: WriteQuery,
      response: {
        200: DryRun, 204: z.null().meta({ description: 'It is ended.' }), 400: ProblemBody, 404: ProblemBody, 422: ProblemBody,
      },
    },
    preValidation: refuseBody,
    handler: async (request, reply) => {
      const { id } = request.params
      if (request.query.dry_run) {
        if (connections.openConnection(id) === null) throw unknownConnection(id)
        return reply.code(200).send({ dry_run: true, changes: true, differences: [], open_connections: 1, ends_connections: 1 })
      }
      if (!connections.endConnection(id, callerOf(request).actor)) throw unknownConnection(id)
      return reply.code(204).send(null)
    },
  })
}

function* matching(open: Iterable<OpenConnectionNow>, filter: Filter): Generator<OpenConnectionNow> {
  for (const connection of open) {
    const { backend, client, ja4, listener, pool, server_name: serverName } = connection.opened
    if (filter.pool !== undefined && filter.pool !== pool) continue
    if (filter.backend !== undefined && filter.backend !== backend) continue
    if (filter.client !== undefined && filter.client !== client?.ip) continue
    if (filter.server_name !== undefined && filter.server_name !== serverName) continue
    if (filter.listener !== undefined && filter.listener !== listener) continue
    if (filter.ja4 !== undefined && filter.ja4 !== ja4) continue
    if (filter.encrypted !== undefined && filter.encrypted !== connection.encrypted) continue
    yield connection
  }
}

function connectionView({ bytesToBackend, bytesToClient, encrypted, opened, openedAt, tls }: OpenConnectionNow): ConnectionView {
  return {
    id: opened.connection_id,
    opened_at: openedAt,
    client: opened.client,
    listener: opened.listener,
    routed_by: opened.routed_by,
    server_name: opened.server_name,
    alpn: opened.alpn,
    tls_versions: opened.tls_versions,
    ja4: opened.ja4,
    ech_offered: opened.ech_offered,
    encrypted,
    tls,
    pool: opened.pool,
    backend: opened.backend,
    backend_address: opened.backend_address,
    local_address: opened.local_address,
    revision: opened.revision,
    bytes_to_backend: bytesToBackend,
    bytes_to_client: bytesToClient,
  }
}

function unknownConnection(id: string): Problem {
  return new Problem('connection_unknown', `No connection ${id} is open on this node. Its records say what became of it.`)
}
