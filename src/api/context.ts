import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Applier } from '../commands/applier.ts'
import type { Desk } from '../commands/desk.ts'
import type { Retiring, RetireParts } from '../commands/retire.ts'
import type { SettingsInForce } from '../config/settings-in-force.ts'
import type { Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import type { Endpoint } from '../core/network.ts'
import type { Tracing } from '../core/tracing.ts'
import type { Live } from '../live/live.ts'
import type { ListenersNow, NodeLife, OpenConnectionsNow, OpenCounters } from '../live/node-view.ts'
import type { Nodes } from '../live/nodes.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Statistics } from './pool-view.ts'
import type { StateAt } from './state.ts'
import type { Expose } from './metrics.ts'
import type { AccessRecords } from './access.ts'
import type { OperationsNotes } from './operations-notes.ts'

/** What the resources of the API share. */

export interface ApiOptions {
  readonly live: Pick<Live, 'routing' | 'traffic' | 'frozen'>
  readonly desk: Pick<Desk, 'preview' | 'run'>
  readonly applier: Pick<Applier, 'apply' | 'preview'>
  /** What the settings of a declaration file would mean. */
  readonly inForce: Pick<SettingsInForce, 'atNextStart'>
  readonly log: Pick<EventLog, 'append' | 'read' | 'head' | 'availability'>
  readonly open: OpenCounters
  readonly connections: OpenConnectionsNow
  readonly listeners: ListenersNow
  readonly nodes: Pick<Nodes, 'all' | 'caughtUp' | 'one'>
  /** Null: this node has its log to itself. */
  readonly cluster: RetireParts['cluster']
  readonly stateAt: StateAt
  readonly life: NodeLife
  readonly logger: Logger
  readonly clock: Clock
  readonly makeId: MakeId
  readonly metrics: Expose
  /** Name of this node: partition key of its own records. */
  readonly node: string
  /** The address the API is bound to; its names are the only ones a Host header may have. */
  readonly bound: Endpoint
  readonly appendTimeoutMs: number
  /** Makes spans of calls. Default: nobody does. */
  readonly tracing?: Tracing
  /** Told of every error that is a bug of this program, after it was answered with 500. Should end the process. */
  readonly onViolation: (error: unknown) => void
}

export interface ApiContext extends ApiOptions {
  readonly notes: OperationsNotes
  readonly access: AccessRecords
  readonly retiring: Pick<Retiring, 'preview' | 'run'>
  /** As of now, for the views of pools and backends. */
  statistics(): Statistics
  /** Aborts when the API closes: whatever still streams ends. */
  readonly closing: AbortSignal
}

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>
