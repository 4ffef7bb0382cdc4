import { z } from 'zod'
import type { RetireAnswer } from '../commands/retire.ts'
import { rfc3339 } from '../core/clock.ts'
import type { NodeNow } from '../live/nodes.ts'
import { tracedBy } from './call-trace.ts'
import { callerOf } from './caller.ts'
import type { Api, ApiContext } from './context.ts'
import { trafficOf } from './node-shares.ts'
import { Problem, ProblemBody } from './problem.ts'
import { changeOf, NoQuery, RetireBody } from './schemas.ts'
import { NodeParams, NodesView, NodeView, RetiredView, type NodeSummary } from './schemas-nodes.ts'
import { DryRun, WriteQuery } from './write.ts'

/** /api/nodes: the nodes that share the log, and retiring one that never returns. With a log of its own there is this one. */

const tags = ['nodes']

export function nodeRoutes(app: Api, context: ApiContext): void {
  readRoutes(app, context)
  retireRoute(app, context)
}

function readRoutes(app: Api, { nodes }: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/nodes',
    schema: {
      operationId: 'listNodes',
      summary: 'List the nodes that share the log, by name',
      description: 'All at once. With a log of its own, this node only.',
      tags,
      querystring: NoQuery,
      response: { 200: NodesView, 422: ProblemBody },
    },
    handler: async () => ({ nodes: nodes.all().map(nodeSummary), caught_up: nodes.caughtUp }),
  })

  app.route({
    method: 'GET',
    url: '/api/nodes/:name',
    schema: {
      operationId: 'readNode',
      summary: 'Read a node, with its totals in each pool',
      tags,
      params: NodeParams,
      querystring: NoQuery,
      response: { 200: NodeView, 404: ProblemBody, 422: ProblemBody },
    },
    handler: async (request) => {
      const node = nodes.one(request.params.name)
      if (node === null) throw unknownNode(request.params.name)
      const pools = node.poolNames().map((name) => ({ name, ...trafficOf(node.totalsOf(name)) }))
      return { ...nodeSummary(node), pools }
    },
  })
}

function retireRoute(app: Api, { retiring }: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/api/nodes/:name/retire',
    schema: {
      operationId: 'retireNode',
      summary: 'Retire a node that never returns: what it left open is closed on record',
      description: 'Refused while the node is heard. A repeat finds nothing open and says so, so it needs no Idempotency-Key.',
      tags,
      params: NodeParams,
      body: RetireBody,
      querystring: WriteQuery,
      response: {
        200: z.union([RetiredView, DryRun]), 400: ProblemBody, 404: ProblemBody, 409: ProblemBody, 413: ProblemBody, 422: ProblemBody, 503: ProblemBody,
      },
    },
    handler: async (request, reply) => {
      const { name: node } = request.params
      if (request.query.dry_run) {
        const preview = await retiring.preview(node)
        if (preview.kind !== 'would_close') throw problemOfRetiring(preview, node)
        const { changes, connections } = preview
        return reply.send({ dry_run: true, changes, differences: [], open_connections: connections, ends_connections: 0 })
      }
      const answer = await retiring.run({ ...callerOf(request), ...tracedBy(request), change: changeOf(request.body?.change), node })
      if (answer.kind !== 'retired') throw problemOfRetiring(answer, node)
      return reply.send({ node, state: 'retired', connections_closed: answer.connectionsClosed, repeated: answer.repeated })
    },
  })
}

function nodeSummary(node: NodeNow): NodeSummary {
  const isThere = node.state === 'running' && !node.stale
  return {
    name: node.node,
    self: node.isSelf,
    state: node.state,
    stale: node.stale,
    seen_at: node.seenAt,
    started_at: node.startedAt,
    epoch: node.epoch,
    run: node.run,
    version: node.version,
    since: node.report?.since ?? null,
    revision: node.report?.revision ?? null,
    current_connections: isThere ? (node.report?.connectionsOpen ?? 0) : 0,
    oldest_connection: isThere ? (node.report?.oldestOpen ?? null) : null,
    refused: node.report?.refused ?? 0,
    clock_skew_ms: node.report?.clockSkewMs ?? null,
  }
}

function unknownNode(name: string): Problem {
  return new Problem('node_unknown', `No node "${name}" was heard of. GET /api/nodes lists those that were.`)
}

function problemOfRetiring(answer: Exclude<RetireAnswer, { kind: 'retired' }>, name: string): Problem {
  switch (answer.kind) {
    case 'refused':
      return refusal(answer, name)
    case 'not_followed':
      return new Problem('cluster_not_followed', 'This node does not hear the cluster now, so it can\'t say that another one is silent. Nothing was recorded.')
    case 'not_applied':
      return new Problem('not_applied', `The log takes no records (${answer.because}), so the node is not retired; some of its connections may be closed on record.`)
    case 'outcome_unknown':
      return new Problem('outcome_unknown', 'The records were handed to the log and not confirmed in time. Send it again: what is done already is not done twice.')
    case 'busy':
      return new Problem('command_queue_full', `${answer.waiting} nodes are being retired already; nothing was recorded.`)
  }
}

function refusal({ because, seenMs }: Extract<RetireAnswer, { kind: 'refused' }>, name: string): Problem {
  switch (because) {
    case 'node_unknown':
      return unknownNode(name)
    case 'node_is_self':
      return new Problem('node_is_self', `"${name}" is the node that answers, so it is not gone. Stop it in order, or ask another node.`)
    case 'node_is_running':
      return new Problem('node_is_running', `"${name}" was heard of at ${rfc3339(seenMs ?? 0)}: it runs. Stop it; it closes its connections itself.`)
  }
}
