import type { ConfigAppliedData } from '../../events/config.ts'
import type { Routing } from '../../projections/routing.ts'
import { decideApplyFile, type ApplyFile } from './apply-file.ts'
import { planOf, type FileContent, type Step } from './apply-plan.ts'
import { pathOf, type Misfit } from './apply-targets.ts'
import type { Request, Rules, Stamp } from './decision.ts'
import { routingAfter } from './routing-after.ts'

/**
 * Applies a declaration file to a state without recording anything: every command is decided on the state that the ones
 * before it would leave. A file of which one command is refused is refused as a whole, before anything was changed.
 */

export type Rehearsal =
  | { readonly kind: 'refused'; readonly misfits: readonly Misfit[] }
  /** `steps` are those that change something; none, and `after` is the state before: the file says nothing new. */
  | { readonly kind: 'possible'; readonly steps: readonly Step[]; readonly objects: Objects; readonly after: Routing }

type Objects = ConfigAppliedData['objects']

/** Told at most: whoever has more reads the first ones first. */
const misfitsMax = 100

export function rehearse(
  before: Routing,
  content: FileContent,
  request: Request & Stamp & { readonly file: string },
  rules: Rules,
): Rehearsal {
  const plan = planOf(before, content)
  if ('misfits' in plan) return { kind: 'refused', misfits: plan.misfits.slice(0, misfitsMax) }
  const misfits: Misfit[] = []
  const steps: Step[] = []
  let after = before
  for (const step of plan.steps) {
    const decision = step.decide(after, request, rules)
    if ('refusal' in decision) {
      misfits.push({ path: [...step.path, ...pathOf(decision.refusal)], refusal: decision.refusal })
      if (misfits.length === misfitsMax) break
    } else if ('record' in decision) {
      steps.push(step)
      after = routingAfter(after, decision.record)
    }
  }
  if (misfits.length > 0) return { kind: 'refused', misfits }
  const objects = countOf(steps)
  const last = decideApplyFile(after, { ...request, ...applyFile(content, request, objects) })
  if ('refusal' in last) return { kind: 'refused', misfits: [{ path: [], refusal: last.refusal }] }
  if ('record' in last) after = routingAfter(after, last.record)
  return { kind: 'possible', after, objects, steps }
}

export function applyFile({ digest, file, settings }: FileContent, request: Request, objects: Objects): ApplyFile {
  return { ...request, digest, file, objects, settings }
}

function countOf(steps: readonly Step[]): Objects {
  const count = (effect: Step['effect']): number => steps.filter((step) => step.effect === effect).length
  return { changed: count('changed'), created: count('created'), removed: count('removed') }
}
