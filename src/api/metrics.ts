import { z } from 'zod'
import type { Api, ApiContext } from './context.ts'
import { ExpositionSlots } from './exposition-slots.ts'
import { Problem, ProblemBody } from './problem.ts'

/** GET /metrics: counts for Prometheus. They say nothing that records say, so who reads them is not on record. */

/** `accept`: as in the header of the request. Null: there is nothing to show, which the program's own log has said. */
export type Expose = (accept: string | undefined) => Promise<{ readonly contentType: string; readonly body: Uint8Array } | null>

const MetricsAnswer = {
  description: 'Every metric of this node; docs/telemetry.md lists them.',
  content: {
    'text/plain': { schema: z.string().meta({ description: 'Prometheus text format 0.0.4.' }) },
    'application/openmetrics-text': { schema: z.string().meta({ description: 'OpenMetrics 1.0.0, for those who accept it.' }) },
  },
} as const

export function metricsRoute(app: Api, context: ApiContext): void {
  const slots = new ExpositionSlots(context.clock)
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { unrecorded: true },
    schema: {
      operationId: 'readMetrics', summary: 'What this node counts, for Prometheus', tags: ['health'],
      response: { 200: MetricsAnswer, 503: ProblemBody },
    },
    handler: async (request, reply) => {
      if (!slots.take(reply.raw)) throw new Problem('metrics_unavailable', 'Too many answers with metrics are being read. Ask again in some seconds.')
      const exposition = await context.metrics(request.headers.accept)
      if (exposition === null) throw new Problem('metrics_unavailable', 'The metrics could not be collected.')
      // The schema says what the text is, for the document; these are its bytes.
      return reply.type(exposition.contentType).send(exposition.body as never)
    },
  })
}
