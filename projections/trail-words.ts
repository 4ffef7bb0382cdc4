import type { AccessEvent } from '../events/access.ts'
import type { ConnectionEvent } from '../events/connection.ts'
import type { HealthEvent } from '../events/health.ts'
import type { ListenerEvent } from '../events/listener.ts'
import type { LogRead } from '../events/log.ts'
import type { NodeRetired } from '../events/node.ts'
import type { PoolCreatedData } from '../events/pool.ts'
import type { EventOf } from '../events/define.ts'
import type { Endpoint } from '../events/values.ts'
import type { ConfigurationEvent } from './routing.ts'

/** What became of something, in a few words for people. Programs go by the records. */

export type ToldEvent =
  | AccessEvent
  | ConfigurationEvent
  | ConnectionEvent
  | HealthEvent
  | ListenerEvent
  | EventOf<typeof LogRead>
  | EventOf<typeof NodeRetired>

/** Id of whoever did it; null: the node itself, or a client. */
export function actorOf({ data }: ToldEvent): string | null {
  if ('close' in data) return data.close.actor?.id ?? null
  return 'actor' in data ? data.actor.id : null
}

export function wordsOf(event: ToldEvent): string {
  switch (event.type) {
    case 'dev.waybill.access.denied.v1':
    case 'dev.waybill.access.granted.v1':
    case 'dev.waybill.log.read.v1':
      return accessWords(event)
    case 'dev.waybill.connection.opened.v1':
    case 'dev.waybill.connection.progress.v1':
    case 'dev.waybill.connection.closed.v1':
    case 'dev.waybill.connection.refused.v1':
      return connectionWords(event)
    case 'dev.waybill.health.addresses_changed.v1':
    case 'dev.waybill.health.changed.v1':
    case 'dev.waybill.health.drain_completed.v1':
      return healthWords(event)
    case 'dev.waybill.listener.bound.v1':
      return `clients are accepted on ${event.data.address}`
    case 'dev.waybill.listener.closed.v1':
      return `no more clients are accepted on ${event.data.address}`
    case 'dev.waybill.listener.failed.v1':
      return `${event.data.address} could not be bound: ${event.data.code}`
    case 'dev.waybill.node.retired.v1':
      return `retired, and ${counted(event.data.connections_closed, 'connection')} closed on record`
    default:
      return changeWords(event)
  }
}

function changeWords(event: ConfigurationEvent): string {
  switch (event.type) {
    case 'dev.waybill.pool.created.v1':
      return createdWords(event.data)
    case 'dev.waybill.pool.changed.v1':
    case 'dev.waybill.backend.changed.v1':
    case 'dev.waybill.listener.changed.v1':
      return `changed: ${Object.entries(event.data.set).map(([field, value]) => `${field} ${JSON.stringify(value)}`).join(', ')}`
    case 'dev.waybill.pool.removed.v1':
    case 'dev.waybill.backend.removed.v1':
      return `removed${forceWords(event.data)}`
    case 'dev.waybill.backend.added.v1':
      return `added with weight ${event.data.weight}`
    case 'dev.waybill.backend.drained.v1':
      return `drained${forceWords(event.data)}`
    case 'dev.waybill.backend.resumed.v1':
      return 'resumed'
    case 'dev.waybill.config.applied.v1':
      return `applied ${event.data.file}`
  }
}

function createdWords({ backends, default_route: isDefault, listen }: PoolCreatedData): string {
  const routes = `${isDefault ? ', as the default route' : ''}${listen === null ? '' : `, listening on ${listen}`}`
  return `created with ${counted(backends.length, 'backend')}${routes}`
}

function forceWords({ force }: { readonly force: boolean }): string {
  return force ? '; open connections are ended' : '; open connections go on'
}

function connectionWords(event: ConnectionEvent): string {
  switch (event.type) {
    case 'dev.waybill.connection.opened.v1': {
      const { attempts, backend_address, client, revision } = event.data
      const tries = attempts.length === 0 ? '' : ` after ${counted(attempts.length, 'failed dial')}`
      return `opened from ${address(client)} to ${address(backend_address)}${tries}, routed by revision ${revision}`
    }
    case 'dev.waybill.connection.progress.v1':
      return `still open, ${bytes(event.data)} so far`
    case 'dev.waybill.connection.closed.v1': {
      const { bytes_quality, close } = event.data
      const code = close.code === null ? '' : ` (${close.code})`
      const atLeast = bytes_quality === 'exact' ? '' : 'at least '
      return `closed by ${close.by}: ${close.because}${code}, ${atLeast}${bytes(event.data)}`
    }
    case 'dev.waybill.connection.refused.v1': {
      const { because, client, count, detail } = event.data
      const who = count === 1 && client !== null ? `client ${address(client)}` : counted(count, 'client')
      return `refused ${who}: ${because}${detail === null ? '' : ` (${detail})`}`
    }
  }
}

function healthWords(event: HealthEvent): string {
  switch (event.type) {
    case 'dev.waybill.health.changed.v1': {
      const { because, code, consecutive, to } = event.data
      return `${to}: ${because} ${counted(consecutive, 'time')}${code === null ? '' : ` (${code})`}`
    }
    case 'dev.waybill.health.addresses_changed.v1':
      return `${event.data.host} resolves to ${event.data.after.join(', ') || 'nothing'}`
    case 'dev.waybill.health.drain_completed.v1': {
      const { because, connections_at_start, connections_ended } = event.data
      return `drain completed: ${because}, ${counted(connections_at_start, 'connection')} at its start, ${connections_ended} ended by it`
    }
  }
}

function accessWords(event: AccessEvent | EventOf<typeof LogRead>): string {
  if (event.type === 'dev.waybill.log.read.v1') {
    const { outcome, records, stream } = event.data
    return `reading of ${stream} ${outcome}, ${counted(records, 'record')}`
  }
  const { count, method, path, status } = event.data
  const times = count === 1 ? '' : `, ${counted(count, 'time')}`
  const call = method === null ? 'what is no HTTP' : `${method} ${path}`
  return `${call} answered ${status}${event.type === 'dev.waybill.access.denied.v1' ? ` (${event.data.because})` : ''}${times}`
}

function bytes(data: { readonly bytes_to_backend: number; readonly bytes_to_client: number }): string {
  return `${data.bytes_to_backend} bytes to backend, ${data.bytes_to_client} to client`
}

function address(endpoint: Endpoint | null): string {
  if (endpoint === null) return 'an unknown address'
  return endpoint.ip.includes(':') ? `[${endpoint.ip}]:${endpoint.port}` : `${endpoint.ip}:${endpoint.port}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
