/** Makes any later change throw, also of what Object.freeze does not reach: the content of maps and sets. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const inner = value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value)
  if (value instanceof Map || value instanceof Set) {
    const refuse = (): never => {
      throw new TypeError('a snapshot was changed')
    }
    Object.defineProperties(value, { set: { value: refuse }, add: { value: refuse }, delete: { value: refuse }, clear: { value: refuse } })
  }
  Object.freeze(value)
  for (const each of inner) deepFreeze(each)
  return value
}
