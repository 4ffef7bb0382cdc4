import type { ConfigAppliedData } from '../../events/config.ts'
import type { Routing } from '../../projections/routing.ts'
import { rfc3339, sleep, type Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Live } from '../live/live.ts'
import { decideApplyFile } from './apply-file.ts'
import type { FileContent } from './apply-plan.ts'
import type { Misfit } from './apply-targets.ts'
import type { Decide, Request, Rules, Stamp } from './decision.ts'
import type { Answer, Desk } from './desk.ts'
import { Queue } from './queue.ts'
import { applyFile, rehearse, type Rehearsal } from './rehearsal.ts'

/**
 * Applies declaration files: rehearses all of a file, then runs its commands one by one at the desk, `config.applied`
 * last. One file at a time. What a crash or a failure leaves half done, the next application of the file finishes.
 */

export interface ApplierOptions {
  readonly desk: Pick<Desk, 'earlierAnswer' | 'run'>
  readonly live: Pick<Live, 'routing'>
  readonly clock: Clock
  readonly makeId: MakeId
  readonly rules: Rules
}

/** Who applies it, and from where. Why is in the file. */
export type By = Pick<Request, 'actor' | 'origin' | 'idempotency' | 'traceparent'>

export type Application =
  /** Everything was so already and the same bytes were applied last: no record. */
  | { readonly kind: 'unchanged'; readonly routing: Routing }
  /** On record and in force; of a preview: would be, and without a record. `recordId`: of `config.applied`. */
  | { readonly kind: 'applied'; readonly objects: Objects; readonly before: Routing; readonly after: Routing; readonly recordId: string | null }
  /** Nothing was changed. */
  | { readonly kind: 'refused'; readonly misfits: readonly [Misfit, ...Misfit[]] }
  /** The first `done` commands are in force, the next one got this answer, the rest was not tried. */
  | { readonly kind: 'stopped'; readonly done: number; readonly of: number; readonly subject: string; readonly answer: Failed }

type Objects = ConfigAppliedData['objects']
export type Failed = Exclude<Answer<object>, { readonly kind: 'effective' | 'unchanged' }>

/** Applications that may wait for the one that runs; each holds its file. */
const applicationsWaitingMax = 8
/** When the desk is full, a command of a file waits its turn instead of leaving the file half applied. */
const busyRetryMs = 50
const busyRetriesMax = 100

export class Applier {
  readonly #options: ApplierOptions
  readonly #queue = new Queue(applicationsWaitingMax)

  constructor(options: ApplierOptions) {
    this.#options = options
  }

  /** What applying it now would do. */
  preview(content: FileContent, by: By): Application {
    const before = this.#options.live.routing
    return resultOf(before, this.#rehearse(before, content, requestOf(content, by)))
  }

  /** Rejects on violations only. */
  apply(content: FileContent, by: By): Promise<Application> {
    const application = this.#queue.run(() => this.#apply(content, requestOf(content, by)))
    if (application !== null) return application
    const answer = { kind: 'busy', waiting: this.#queue.waiting } as const
    return Promise.resolve({ kind: 'stopped', done: 0, of: 0, subject: content.file, answer })
  }

  async #apply(content: FileContent, request: FileRequest): Promise<Application> {
    // The key belongs to the request as a whole, which its last record completes: asked before the first one.
    const earlier = this.#options.desk.earlierAnswer(request)
    if (earlier !== null) return { kind: 'stopped', answer: earlier, done: 0, of: 0, subject: content.file }
    const before = this.#options.live.routing
    const rehearsal = this.#rehearse(before, content, request)
    const expected = resultOf(before, rehearsal)
    if (rehearsal.kind === 'refused' || expected.kind !== 'applied') return expected
    const { objects, steps } = rehearsal
    const of = steps.length + 1
    const part: Request = { ...request, idempotency: null }
    for (const [done, { decide, subject }] of steps.entries()) {
      const answer = await this.#run(decide, part)
      if (answer.kind !== 'effective' && answer.kind !== 'unchanged') return { kind: 'stopped', answer, done, of, subject }
    }
    const answer = await this.#run(decideApplyFile, applyFile(content, request, objects))
    if (answer.kind !== 'effective' && answer.kind !== 'unchanged') {
      return { kind: 'stopped', answer, done: steps.length, of, subject: content.file }
    }
    return { kind: 'applied', after: answer.routing, before, objects, recordId: answer.kind === 'effective' ? answer.id : null }
  }

  #rehearse(before: Routing, content: FileContent, request: FileRequest): Rehearsal {
    const { clock, makeId, rules } = this.#options
    const stamp: Stamp = { recordId: makeId(), time: rfc3339(clock.now()) }
    return rehearse(before, content, { ...request, ...stamp }, rules)
  }

  async #run<Command extends Request>(decide: Decide<Command, object>, command: Command): Promise<Answer<object>> {
    const { clock, desk } = this.#options
    for (let retry = 0; ; retry += 1) {
      const answer = await desk.run(decide, command)
      if (answer.kind !== 'busy' || retry === busyRetriesMax) return answer
      await sleep(clock, busyRetryMs)
    }
  }
}

type FileRequest = Request & { readonly file: string }

function requestOf({ change, file }: FileContent, by: By): FileRequest {
  const { actor, idempotency, origin, traceparent } = by
  return { actor, change, file, idempotency, ifMatch: null, origin, ...(traceparent === undefined ? {} : { traceparent }) }
}

function resultOf(before: Routing, rehearsal: Rehearsal): Application {
  if (rehearsal.kind === 'refused') {
    const [first, ...others] = rehearsal.misfits
    if (first === undefined) throw new Error('a refusal without a reason')
    return { kind: 'refused', misfits: [first, ...others] }
  }
  if (rehearsal.after === before) return { kind: 'unchanged', routing: before }
  return { kind: 'applied', after: rehearsal.after, before, objects: rehearsal.objects, recordId: null }
}
