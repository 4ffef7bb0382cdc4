import type { OtlpProtocol } from './otel.ts'
import { textOf, type OtelReading } from './otel-values.ts'
import type { Environment } from './settings.ts'

/** Endpoints and headers of the exporters: checked before these read them, and kept out of every text. */

export type Signal = 'LOGS' | 'METRICS' | 'TRACES'
const signals: readonly Signal[] = ['LOGS', 'METRICS', 'TRACES']

/** For people; what is wrong with it is noted without showing it, because it may hold a password. */
export function readEndpoint(reading: OtelReading, signal: Signal, protocol: OtlpProtocol): string {
  const own = `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`
  const variable = textOf(reading, own) === null ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : own
  const text = textOf(reading, variable)
  if (text === null) return protocol === 'grpc' ? 'http://localhost:4317' : `http://localhost:4318/v1/${signal.toLowerCase()}`
  const problem = protocol === 'grpc' ? problemOfGrpc(text) : problemOfHttp(text)
  if (problem !== null) reading.problems.push(`${variable}: ${problem}`)
  else if (protocol !== 'grpc' && variable !== own && /[?#]/.test(text)) {
    reading.problems.push(`${variable}: has a query or a fragment, behind which no path can be added; write the whole address into ${own}.`)
  }
  const shown = withoutLogin(text).replace(/[?#].*$/s, '')
  return variable === own || protocol === 'grpc' ? shown : `${shown.replace(/\/$/, '')}/v1/${signal.toLowerCase()}`
}

function problemOfHttp(text: string): string | null {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return null
  return 'is not a URL for http/protobuf; write it such as http://collector:4318 or https://collector:4318.'
}

function problemOfGrpc(text: string): string | null {
  if (text.startsWith('unix://')) return null
  const isUrl = /^https?:\/\//i.test(text)
  const url = isUrl ? text : `https://${text}`
  if (!URL.canParse(url) || (!isUrl && text.includes('://'))) {
    return 'is not an address for grpc; write it such as http://collector:4317, https://collector:4317 or collector:4317.'
  }
  const { password, username } = new URL(url)
  if (username === '' && password === '') return null
  return 'has a user and password before the @, which grpc does not send; put them into OTEL_EXPORTER_OTLP_HEADERS.'
}

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
const headerValue = /^[\t\x20-\x7e]*$/

/** An exporter would show a value that can't be sent, so such values are told here, by name. */
export function readHeaders(reading: OtelReading, variable: string): void {
  const parts = pairsOf(textOf(reading, variable))
  for (const [index, { name, value }] of parts.entries()) {
    const which = `${variable}: the ${index + 1}. header`
    if (name === null || value === null) reading.problems.push(`${which} is not NAME=VALUE, both percent-encoded where they hold a comma, a semicolon or a %.`)
    else if (!headerName.test(name)) reading.problems.push(`${which} has a name that HTTP does not allow.`)
    else if (!headerValue.test(value)) reading.problems.push(`${which} (${name}) has a value with characters that HTTP does not allow; encode it, such as with base64.`)
  }
}

interface Pair {
  readonly name: string | null
  readonly value: string | null
  /** As written. */
  readonly raw: string
}

function pairsOf(text: string | null): readonly Pair[] {
  return (text ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '').map((part) => {
    const equals = part.indexOf('=')
    const raw = part.slice(equals + 1).trim()
    return equals < 1 ? { name: null, raw, value: null } : { name: decoded(part.slice(0, equals)), raw, value: decoded(raw) }
  })
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text.trim())
  } catch {
    return null
  }
}

const variables = [
  'OTEL_EXPORTER_OTLP', ...signals.map((signal) => `OTEL_EXPORTER_OTLP_${signal}`),
].map((prefix) => ({ endpoint: `${prefix}_ENDPOINT`, headers: `${prefix}_HEADERS` }))
/** Shorter ones are also words and numbers of other things (a tenant `node`, a port): half of the log would be blackened. A token is longer. */
const secretLengthMin = 8
const login = /(?<=:\/\/)[^/?#\s]*@/g

/** A function that takes the values of all headers, and users, passwords and queries of all endpoints, out of a text. */
export function secretsOf(environment: Environment): (text: string) => string {
  const found = new Set<string>()
  for (const { endpoint, headers } of variables) {
    for (const { raw, value } of pairsOf(textOf({ environment }, headers))) for (const secret of partsOf(raw, value)) found.add(secret)
    const address = textOf({ environment }, endpoint) ?? ''
    for (const secret of [...loginOf(address), ...queryOf(address)]) found.add(secret)
  }
  // Also as it stands in JSON, which exporters show of what a collector has answered.
  const spelled = [...found].flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  const secrets = [...new Set(spelled)].filter((secret) => secret.length >= secretLengthMin).toSorted((one, other) => other.length - one.length)
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), withoutLogin(text))
}

/** Of `Bearer TOKEN` also the token alone. */
function partsOf(raw: string, value: string | null): readonly string[] {
  return [raw, value ?? ''].flatMap((text) => [text, text.replace(/^(?:basic|bearer)\s+/i, '')])
}

function loginOf(endpoint: string): readonly string[] {
  const written = /(?:^|:\/\/)([^/?#\s]*)@/.exec(endpoint)?.[1]
  if (written === undefined) return []
  const password = written.slice(written.indexOf(':') + 1)
  return [written, password, decoded(password) ?? '']
}

/** As a whole, as a URL spells it, and each value by itself. */
function queryOf(endpoint: string): readonly string[] {
  const written = /[?#](.*)$/s.exec(endpoint)?.[1]
  if (written === undefined) return []
  const spelled = URL.canParse(endpoint) ? new URL(endpoint).search.slice(1) : ''
  const values = written.split(/[&#]/).map((part) => part.slice(part.indexOf('=') + 1))
  return [written, spelled, ...values.flatMap((value) => [value, decoded(value) ?? ''])]
}

function withoutLogin(text: string): string {
  return text.replace(login, '[redacted]@')
}
