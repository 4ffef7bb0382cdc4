import { createHash } from 'node:crypto'
import type { Routing } from '../../projections/routing.ts'
import type { DeclaredListeners } from '../../src/commands/apply-listeners.ts'
import type { FileContent } from '../../src/commands/apply-plan.ts'
import type { DeclaredPool } from '../../src/commands/apply-targets.ts'
import { decideApplyFile } from '../../src/commands/apply-file.ts'
import { noChange, type Request } from '../../src/commands/decision.ts'
import { applyFile, rehearse } from '../../src/commands/rehearsal.ts'
import { recorded, rules, stamp } from './decide.ts'

/** Applies declaration files to a state as the program does, with every record through its exact bytes and the catalog. */

export const file = '/etc/waybill/waybill.yaml'

export const nodeRequest: Request & { readonly file: string } = {
  actor: { authn: 'none', id: 'node-1', type: 'node' },
  change: noChange,
  file,
  idempotency: null,
  ifMatch: null,
  origin: { ip: null, port: null, via: 'internal' },
}

export function declares(
  pools: readonly DeclaredPool[] | null,
  settings: FileContent['settings'] = [],
  listeners: DeclaredListeners | null = null,
): FileContent {
  const digest = createHash('sha256').update(JSON.stringify([listeners, pools, settings])).digest('hex')
  return { change: noChange, digest, file, listeners, pools, settings }
}

export interface Played {
  readonly state: Routing
  /** `pool.created pools/a` of every record, in order. */
  readonly records: string[]
}

/** Throws when a command is refused. */
export function played(before: Routing, content: FileContent): Played {
  const request = { ...nodeRequest, file: content.file, ...stamp }
  const rehearsal = rehearse(before, content, request, rules)
  if (rehearsal.kind === 'refused') throw new Error(`refused: ${JSON.stringify(rehearsal.misfits)}`)
  let state = before
  const records: string[] = []
  for (const { decide, subject } of rehearsal.steps) {
    const decision = decide(state, request, rules)
    if (!('record' in decision)) throw new Error(`${subject}: ${JSON.stringify(decision)}`)
    state = recorded(state, decision.record)
    records.push(`${decision.record.type.replace('dev.waybill.', '').replace('.v1', '')} ${subject}`)
  }
  const last = decideApplyFile(state, { ...applyFile(content, request, rehearsal.objects), ...stamp })
  if (!('record' in last)) return { records, state }
  return { records: [...records, 'config.applied'], state: recorded(state, last.record) }
}
