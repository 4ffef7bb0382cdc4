import { shown, textOf, type OtelReading } from './otel-values.ts'

/** OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME: what an operator says about this process; it wins over what is known of it. */

export interface ResourceSettings {
  /** Null: not said. */
  readonly serviceName: string | null
  /** Without `service.name`. */
  readonly attributes: Readonly<Record<string, string>>
}

const variable = 'OTEL_RESOURCE_ATTRIBUTES'
/** As the attribute limit of OpenTelemetry SDKs. */
const attributesMax = 128
/** The specification wants keys and values of 255 characters at most. */
const charactersMax = 255

/** Values may be percent-encoded, as in W3C Baggage. */
export function readResource(reading: OtelReading): ResourceSettings {
  const found = new Map<string, string>()
  const parts = (textOf(reading, variable) ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '')
  if (parts.length > attributesMax) reading.problems.push(`${variable}: has more than ${attributesMax} attributes.`)
  for (const part of parts.slice(0, attributesMax)) {
    const attribute = attributeOf(part)
    if (typeof attribute === 'string') reading.problems.push(`${variable}: ${shown(part)} ${attribute}.`)
    else found.set(...attribute)
  }
  const { 'service.name': inAttributes, ...attributes } = Object.fromEntries(found)
  return { attributes, serviceName: textOf(reading, 'OTEL_SERVICE_NAME') ?? inAttributes ?? null }
}

/** Key and value, or what is wrong. */
function attributeOf(part: string): readonly [string, string] | string {
  const equals = part.indexOf('=')
  if (equals < 1) return 'is not KEY=VALUE'
  const [key, value] = [decoded(part.slice(0, equals)), decoded(part.slice(equals + 1))]
  if (key === null || value === null) return 'has a % that is not followed by two hexadecimal digits of UTF-8; write a % itself as %25'
  if (key.length > charactersMax || value.length > charactersMax) return `is longer than ${charactersMax} characters`
  return [key, value]
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text.trim())
  } catch {
    return null
  }
}
