import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import type { SharedBroker } from './setup.ts'

/** The one broker that a whole run of the tests shares; tests keep apart by the prefix of their topics. */

/** Throws when there is none: ask `kafkaMissing` first. */
export function sharedBrokers(): string[] {
  const shared = inject('kafka')
  if (shared.kind === 'missing') throw new Error(`no Kafka broker: ${shared.because}`)
  return [...shared.brokers]
}

/** Why there is no broker here; null: there is one. Under CI it is an error instead, so that no run passes without. */
export function kafkaMissing(): string | null {
  const shared: SharedBroker = inject('kafka')
  return shared.kind === 'missing' ? shared.because : null
}

export function freshPrefix(): string {
  return `t${randomUUID().slice(0, 8)}`
}
