import { channel } from 'node:diagnostics_channel'
import type { ConnectionClosedData, ConnectionOpenedData, ConnectionRefusedData } from '../../events/connection.ts'
import type { Stream } from '../../events/define.ts'

/**
 * What the data path and the log tell whoever measures: once for a client, a dial, a check or a commit, never for a chunk.
 * Nobody listening costs one comparison. The channels are Node's, by name, and so of the whole process.
 */

export interface Told<Message> {
  /** Ask before making a message. */
  readonly isHeard: boolean
  /** Calls every listener before it returns. What one throws ends the process: it is our own bug. */
  tell(message: Message): void
  listen(listener: (message: Message) => void): Disposable
}

export type MessageOf<Channel> = Channel extends Told<infer Message> ? Message : never

function told<Message>(name: string): Told<Message> {
  const its = channel(name)
  return {
    get isHeard() {
      return its.hasSubscribers
    },
    tell: (message) => its.publish(message),
    listen: (listener) => {
      const hear = (message: unknown): void => listener(message as Message)
      its.subscribe(hear)
      return { [Symbol.dispose]: () => its.unsubscribe(hear) }
    },
  }
}

/** A client's opened record is durable and its bytes are about to go on; or it was not confirmed in time, and the connection ends. */
export const connectionOpened = told<{
  readonly opened: ConnectionOpenedData
  /** Moments on the monotonic clock, milliseconds. */
  readonly acceptedMs: number
  readonly helloMs: number
  readonly dialMs: number
  readonly recordMs: number
}>('waybill:connection:opened')

/** A connection that was opened is over. Told before its bytes leave the counters of the open ones. */
export const connectionClosed = told<{
  /** As it was when it was opened. */
  readonly opened: ConnectionOpenedData
  readonly closed: ConnectionClosedData
  readonly closedMs: number
}>('waybill:connection:closed')

/** A client that got in no further, whether it has a record of its own or is counted in one. */
export const connectionRefused = told<{
  readonly because: Exclude<ConnectionRefusedData['because'], 'other'>
  readonly listener: string
  readonly pool: string | null
  /** Dials that failed before. */
  readonly attempts: number
  /** Since it was accepted; null: it was never looked at. */
  readonly afterMs: number | null
  /** Its own record; null: it is counted in one with others. */
  readonly record: { readonly id: string; readonly refused: ConnectionRefusedData } | null
}>('waybill:connection:refused')

/** One address of a backend could not be connected to, or its name not be resolved. `code` is the errno name. */
export const dialFailed = told<{ readonly pool: string; readonly backend: string; readonly code: string; readonly ms: number }>(
  'waybill:dial:failed',
)

/** A health check was answered, or was not: then `code` says why. */
export const backendChecked = told<{ readonly pool: string; readonly backend: string; readonly code: string | null; readonly ms: number }>(
  'waybill:backend:checked',
)

/** The medium of a node's own log answered a commit. */
export const logCommitted = told<{
  readonly stream: Stream
  readonly records: number
  readonly bytes: number
  /** How long write and sync took. */
  readonly ms: number
  readonly durable: boolean
}>('waybill:log:committed')

/** Kafka has acknowledged records of a node. `ms`: since they were sent. */
export const logAcknowledged = told<{ readonly stream: Stream; readonly records: number; readonly ms: number }>('waybill:log:acknowledged')
