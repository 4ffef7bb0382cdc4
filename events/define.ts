import type { z } from 'zod'

export type Stream = 'control' | 'connections' | 'operations'
export const streams = ['control', 'connections', 'operations'] as const satisfies readonly Stream[]

/** Where an element of PCI DSS 10.2.2 stands in the record: a dotted path, or what every record of this type means. */
export type Element =
  | { readonly at: string; readonly orElse?: string }
  | { readonly always: string }

/**
 * The six elements that PCI DSS 10.2.2 asks of every audit log entry. What happened is the record's `type`, when is
 * its `time` and the affected resource its `subject`, in every record; a definition says the other three.
 */
export interface AuditElements {
  readonly who: Element
  readonly outcome: Element
  readonly origin: Element
}

/** One kind of fact: what it is called, where it goes, what it carries and what it means to an auditor. */
export interface EventDefinition<Type extends string = string, Data extends z.ZodType = z.ZodType> {
  readonly type: Type
  readonly stream: Stream
  readonly summary: string
  /** What the record is about, as its `subject` spells it: `pools/<name>`. The affected resource of PCI DSS 10.2.2. */
  readonly subject: string
  readonly audit: AuditElements
  readonly data: Data
  readonly examples: readonly [z.input<Data>, ...z.input<Data>[]]
  /** True for control records that change the configuration: they carry `revision` and `basis`. */
  readonly changes: boolean
}

/** A definition's event, as folds receive it: the envelope's facts with typed data. */
export type EventOf<Definition> =
  Definition extends EventDefinition<infer Type, infer Data>
    ? RecordedEvent<Type, Readonly<z.output<Data>>>
    : never

export interface RecordedEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
  readonly id: string
  readonly source: string
  readonly run: string
  readonly subject: string
  readonly time: string
  readonly sequence: string
  readonly prevhash: string
  readonly partitionkey: string
  readonly traceparent?: string | undefined
  readonly revision?: number | undefined
  readonly basis?: string | undefined
}

export function defineEvent<const Type extends string, Data extends z.ZodType>(
  definition: Omit<EventDefinition<Type, Data>, 'changes'> & { readonly changes?: boolean },
): EventDefinition<Type, Data> {
  return Object.freeze({ changes: false, ...definition })
}

const originOfRequest = 'data.origin.ip'

/** Whether its records come of a request: then they may say of which trace it was part. */
export function isAsked({ audit }: Pick<EventDefinition, 'audit'>): boolean {
  return 'at' in audit.origin && audit.origin.at === originOfRequest
}

/** The elements of a change asked for through the API: who and where from are in the record, it took effect. */
export const changeAudit: AuditElements = {
  who: { at: 'data.actor.id' },
  outcome: { always: 'success (a void record lost the race to another change and took no effect)' },
  origin: { at: originOfRequest, orElse: 'the local socket or the node itself (data.origin.via)' },
}
/** The elements of what a node says of itself: the node is the actor and the place (`source`). */
export function nodeAudit(outcome: Element): AuditElements {
  return { who: { at: 'source' }, outcome, origin: { at: 'source' } }
}
