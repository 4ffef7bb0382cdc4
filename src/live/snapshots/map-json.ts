/**
 * JSON for states, which are made of plain values and maps: a map is `{"$map":[[key,value],...]}`. Written piece by
 * piece, so that a large state need not be one text made in one go.
 */

const mapKey = '$map'

/** The JSON text of a value; no piece is longer than one field or one entry of a map at the top. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (value instanceof Map) {
    const entries = value as Map<unknown, unknown>
    let separator = `{"${mapKey}":[`
    for (const [key, each] of entries) {
      yield `${separator}[${JSON.stringify(key)},${JSON.stringify(plain(each))}]`
      separator = ','
    }
    yield entries.size === 0 ? `${separator}]}` : ']}'
  } else if (isPlainObject(value)) {
    let separator = '{'
    for (const [key, each] of Object.entries(value)) {
      if (each === undefined) continue
      yield `${separator}${JSON.stringify(key)}:`
      yield* jsonPieces(each)
      separator = ','
    }
    yield separator === '{' ? '{}' : '}'
  } else yield JSON.stringify(plain(value))
}

export function parseMapJson(text: string): unknown {
  return revived(JSON.parse(text))
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value with its maps as JSON has them; the value itself where there are none. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) return { [mapKey]: Array.from(value as Map<unknown, unknown>, ([key, each]) => [key, plain(each)]) }
  if (Array.isArray(value)) return value.some((each) => typeof each === 'object') ? value.map(plain) : value
  let copy: Record<string, unknown> | null = null
  for (const [key, each] of Object.entries(value)) {
    const made = plain(each)
    if (made === each) continue
    copy ??= { ...value }
    copy[key] = made
  }
  return copy ?? value
}

/** The value with its maps made again; objects are changed in place, since nobody else has them. */
function revived(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) value[index] = revived(value[index])
    return value
  }
  const object = value as Record<string, unknown>
  const entries = object[mapKey]
  if (Array.isArray(entries)) return new Map(revived(entries) as [unknown, unknown][])
  for (const key in object) {
    const each = object[key]
    if (typeof each === 'object') object[key] = revived(each)
  }
  return object
}
