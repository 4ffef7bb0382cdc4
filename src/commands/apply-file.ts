import { ConfigApplied, type ConfigAppliedData } from '../../events/config.ts'
import type { Routing } from '../../projections/routing.ts'
import { controlDraft, tooLarge, type Decision, type Request, type Stamp } from './decision.ts'

/** The last record of an application: the file is in force as a whole, its objects were changed right before. */

export interface ApplyFile extends Request {
  readonly file: string
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string
  /** Records that this application wrote before this one. */
  readonly objects: ConfigAppliedData['objects']
  /** As the file has them, by name. */
  readonly settings: readonly { readonly name: string; readonly value: string }[]
}

/** The same bytes again say nothing new, unless objects had to be changed for them. */
export function decideApplyFile(routing: Routing, command: ApplyFile & Stamp): Decision<ConfigAppliedData> {
  const { actor, change, digest, file, idempotency, objects, origin, settings } = command
  const written = objects.changed + objects.created + objects.removed
  if (written === 0 && routing.declarations.get(file)?.digest === digest) return { unchanged: true }
  const record = controlDraft(command, ConfigApplied, `files/${digest}`, {
    actor,
    change,
    digest,
    file,
    idempotency,
    objects: { changed: objects.changed, created: objects.created, removed: objects.removed },
    origin,
    settings: settings.map(({ name, value }) => ({ name, value })),
  })
  return tooLarge(record) ?? { record }
}
