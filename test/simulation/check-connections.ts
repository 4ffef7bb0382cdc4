import { formatEndpoint } from '../../src/core/endpoint.ts'
import type { Evidence } from './evidence.ts'
import type { LogRecord } from './log-reader.ts'
import type { SimulatedSocket } from './socket.ts'

/** What the records say of connections against what went over the wire. */
export function checkConnections(evidence: Evidence): string[] {
  const problems: string[] = []
  const opened = new Map<string, LogRecord>()
  const closed = new Map<string, LogRecord>()
  for (const record of evidence.log.connections) {
    const id = record.json.data.connection_id
    if (is(record, 'opened')) {
      if (opened.has(id)) problems.push(`${id} was opened twice`)
      opened.set(id, record)
    } else if (is(record, 'closed')) {
      if (closed.has(id)) problems.push(`${id} was closed twice`)
      if (!opened.has(id)) problems.push(`${id} was closed and not opened before`)
      closed.set(id, record)
    } else if (is(record, 'progress') && (!opened.has(id) || closed.has(id))) problems.push(`${id} progresses and is not open`)
  }
  for (const id of opened.keys()) if (!closed.has(id)) problems.push(`${id} was opened and never closed`)
  const wire = wireOf(evidence)
  for (const { json } of opened.values()) problems.push(...checkPath(json, wire))
  for (const record of closed.values()) problems.push(...checkBytes(record, opened.get(record.json.data.connection_id), wire))
  problems.push(...checkSilence(evidence, opened))
  return problems
}

/** What a backend did that its connection was ended for. Here it says its ServerHello in one piece: nothing passes before. */
export const brokenTerms: ReadonlySet<string> = new Set(['backend_not_tls', 'cipher_forbidden', 'tls_version_too_low'])

export function is({ json }: LogRecord, fact: string): boolean {
  return json.type === `dev.waybill.connection.${fact}.v1`
}

interface Wire {
  readonly clients: ReadonlyMap<string, SimulatedSocket>
  readonly backends: ReadonlyMap<string, SimulatedSocket>
}

function wireOf({ accepted, dialled }: Evidence): Wire {
  const clients = new Map<string, SimulatedSocket>()
  for (const { socket } of accepted) if (socket.remote !== null) clients.set(formatEndpoint(socket.remote), socket)
  return { clients, backends: new Map(dialled.map(({ socket }) => [formatEndpoint(socket.local), socket])) }
}

/** The opened record names a client that came and a connection that was dialled, to where it was. */
function checkPath({ data }: LogRecord['json'], { backends, clients }: Wire): string[] {
  const client = clients.get(formatEndpoint(data.client))
  const backend = backends.get(formatEndpoint(data.local_address))
  if (client === undefined || backend === undefined) return [`${data.connection_id}: its client or its backend connection never was`]
  if (formatEndpoint(backend.remote!) !== formatEndpoint(data.backend_address)) return [`${data.connection_id}: it went to another address`]
  return client.life === backend.life ? [] : [`${data.connection_id}: its two halves are of two process lives`]
}

function checkBytes(record: LogRecord, opening: LogRecord | undefined, { backends, clients }: Wire): string[] {
  if (opening === undefined) return []
  const { bytes_quality, bytes_to_backend, bytes_to_client, close, connection_id } = record.json.data
  const client = clients.get(formatEndpoint(opening.json.data.client))?.trace
  const backend = backends.get(formatEndpoint(opening.json.data.local_address))?.trace
  if (client === undefined || backend === undefined) return []
  const problems: string[] = []
  const say = (what: string): void => void problems.push(`${connection_id} (${close.because}, ${bytes_quality}): ${what}`)
  if (brokenTerms.has(close.because)) {
    if (!isAlert(client.taken)) say('the client was sent something else than an alert')
    return problems
  }
  if (bytes_to_backend > backend.takenBytes) say(`${bytes_to_backend} bytes to the backend, ${backend.takenBytes} on the wire`)
  if (bytes_to_client > client.takenBytes) say(`${bytes_to_client} bytes to the client, ${client.takenBytes} on the wire`)
  if (bytes_quality === 'exact') {
    if (bytes_to_backend !== backend.takenBytes) say(`${bytes_to_backend} bytes to the backend, ${backend.takenBytes} on the wire`)
    if (bytes_to_client !== client.takenBytes) say(`${bytes_to_client} bytes to the client, ${client.takenBytes} on the wire`)
    // What shows that a client speaks no TLS is kept from the backend.
    const allPassed = close.phase !== 'record' && close.because !== 'client_not_tls'
    if (allPassed && bytes_to_backend !== client.readBytes) say(`${client.readBytes} bytes were read from the client`)
    if (close.phase !== 'record' && bytes_to_client !== backend.readBytes) say(`${backend.readBytes} bytes were read from the backend`)
  }
  if (!isPrefix(backend.taken, client.read)) say('the backend was sent other bytes than the client said')
  // Its backend had broken the terms, and the process died before it could write so.
  const lostWithAlert = close.because === 'node_lost' && isAlert(client.taken)
  if (!lostWithAlert && !isPrefix(client.taken, backend.read)) say('the client was sent other bytes than the backend said')
  return problems
}

/** A connection that is not on record as opened carried not one byte either way, but for an alert that says why. */
function checkSilence({ accepted, dialled, log }: Evidence, opened: ReadonlyMap<string, LogRecord>): string[] {
  const clients = new Set<string>()
  const backends = new Set<string>()
  for (const { json } of opened.values()) {
    clients.add(formatEndpoint(json.data.client))
    backends.add(formatEndpoint(json.data.local_address))
  }
  const silent = new Set<string>()
  for (const record of log.connections) {
    if (is(record, 'refused') && record.json.data.client !== null && record.json.data.alert === null) silent.add(formatEndpoint(record.json.data.client))
  }
  const problems: string[] = []
  for (const { socket } of accepted) {
    if (socket.trace.takenBytes === 0 || (socket.remote !== null && clients.has(formatEndpoint(socket.remote)))) continue
    if (isAlert(socket.trace.taken) && (socket.remote === null || !silent.has(formatEndpoint(socket.remote)))) continue
    problems.push(`client ${socket.remote?.port} got ${socket.trace.takenBytes} bytes and is not on record as opened`)
  }
  for (const { socket } of dialled) {
    if (socket.trace.takenBytes === 0 || backends.has(formatEndpoint(socket.local))) continue
    problems.push(`a backend got ${socket.trace.takenBytes} bytes on ${formatEndpoint(socket.local)}, which is not on record as opened`)
  }
  return problems
}

/** One whole fatal alert in the clear, or nothing. */
export function isAlert(taken: readonly Uint8Array[]): boolean {
  const bytes = Buffer.concat(taken)
  return bytes.length === 0 || (bytes.length === 7 && bytes.subarray(0, 6).equals(Buffer.from('150303000202', 'hex')))
}

function isPrefix(part: readonly Uint8Array[], whole: readonly Uint8Array[]): boolean {
  const [one, other] = [Buffer.concat(part), Buffer.concat(whole)]
  return one.length <= other.length && one.equals(other.subarray(0, one.length))
}
