import { z } from 'zod'
import { changeAudit, defineEvent, type EventOf } from './define.ts'
import { Actor, Change, Count, DeclarationFile, Idempotency, Origin, exampleActor, exampleChange, text } from './values.ts'

/** Declaration files: what was applied from where. The objects themselves are changed by records of their own. */

/** A setting as the file has it, the value as a person would write it. Settings are no secrets. */
const DeclaredSetting = z.strictObject({ name: z.string().regex(/^[a-z_]{1,40}$/), value: text(1_000) })

export const ConfigApplied = defineEvent({
  type: 'dev.waybill.config.applied.v1',
  stream: 'control',
  changes: true,
  summary: 'A declaration file was applied; the changes of its objects, if any, came right before.',
  subject: 'files/<digest>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    digest: z.string().regex(/^[0-9a-f]{64}$/).meta({ description: 'SHA-256 of the bytes of the file.' }),
    file: DeclarationFile,
    idempotency: Idempotency,
    objects: z
      .strictObject({ changed: Count, created: Count, removed: Count })
      .meta({ description: 'Records that this application wrote before this one.' }),
    origin: Origin,
    settings: z
      .array(DeclaredSetting)
      .max(64)
      .meta({ description: 'Settings in the file, by name. A running node takes them over at its next start.' }),
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      digest: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      file: '/etc/waybill/waybill.yaml',
      idempotency: null,
      objects: { changed: 1, created: 2, removed: 0 },
      origin: { ip: null, port: null, via: 'internal' },
      settings: [{ name: 'listen', value: '[::]:8443' }],
    },
  ],
})

export const configEvents = [ConfigApplied] as const
export type ConfigEvent = EventOf<(typeof configEvents)[number]>
export type ConfigAppliedData = z.infer<typeof ConfigApplied.data>
