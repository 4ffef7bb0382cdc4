import { z } from 'zod'
import type { Api, ApiContext } from './context.ts'
import { Problem, ProblemBody } from './problem.ts'

interface ReasonAgainst {
  readonly code: string
  readonly sentence: string
}

/** /health/live says that the process answers, /health/ready that it should get clients; 503 says why not. */
export function healthRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/health/live',
    config: { unrecorded: true },
    schema: { operationId: 'live', summary: 'Is the process alive', tags: ['health'], response: { 200: z.strictObject({ status: z.literal('live') }) } },
    handler: async () => ({ status: 'live' as const }),
  })

  app.route({
    method: 'GET',
    url: '/health/ready',
    config: { unrecorded: true },
    schema: {
      operationId: 'ready',
      summary: 'Should this node get clients',
      tags: ['health'],
      response: { 200: z.strictObject({ status: z.literal('ready') }), 503: ProblemBody },
    },
    handler: async () => {
      const reasons = reasonsAgainst(context)
      if (reasons.length === 0) return { status: 'ready' as const }
      const detail = reasons.map(({ sentence }) => sentence).join(' ')
      throw new Problem('not_ready', detail, { errors: reasons })
    },
  })
}

/** Why this node should get no clients now; empty when they are welcome. */
export function reasonsAgainst({ log, live, life }: Pick<ApiContext, 'life' | 'live' | 'log'>): ReasonAgainst[] {
  const reasons: ReasonAgainst[] = life.notReady().map(({ code, sentence }) => ({ code, sentence }))
  const log_ = log.availability()
  if (!log_.available) {
    reasons.push({
      code: 'log_unavailable',
      sentence: `The log takes no records (${log_.syscall} failed with ${log_.code}), so clients are refused.`,
    })
  }
  if (live.frozen) {
    reasons.push({
      code: 'configuration_frozen',
      sentence: `The configuration is no longer followed: ${live.frozen.because}.`,
    })
  }
  return reasons
}
