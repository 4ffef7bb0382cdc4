import type { Mechanism } from 'kafkajs'
// @ts-expect-error kafkajs has types for its entry only
import plain from 'kafkajs/src/broker/saslAuthenticator/plain.js'
// @ts-expect-error kafkajs has types for its entry only
import scram256 from 'kafkajs/src/broker/saslAuthenticator/scram256.js'
// @ts-expect-error kafkajs has types for its entry only
import scram512 from 'kafkajs/src/broker/saslAuthenticator/scram512.js'
// @ts-expect-error kafkajs has types for its entry only
import requestQueue from 'kafkajs/src/network/requestQueue/index.js'

/**
 * What is used of kafkajs besides its entry, with the types that it lacks. Its version is pinned, and a test holds that
 * all of it is there.
 */

type PasswordExchange = (sasl: { readonly username: string; readonly password: string }) => Mechanism['authenticationProvider']

/** Its own exchanges of a password. */
export const passwordExchanges = {
  plain: plain as PasswordExchange,
  'scram-sha-256': scram256 as PasswordExchange,
  'scram-sha-512': scram512 as PasswordExchange,
} as const

/** Requests of one connection, waiting for their turn and for their answers. */
export interface RequestQueue {
  readonly pending: readonly unknown[]
  /** Until when a broker has asked for silence, milliseconds since the epoch; -1: it has not. */
  readonly throttledUntil: number
  /** Sends what may be sent. */
  checkPendingRequests(): void
  /** Sees to it that `checkPendingRequests` is called in time. */
  scheduleCheckPendingRequests: (this: RequestQueue) => void
}

export const requestQueuePrototype = (requestQueue as { readonly prototype: RequestQueue }).prototype
