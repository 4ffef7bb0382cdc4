/** Names that the routes of a run are made of, and names close to them that belong to no route. */
import type { SeededRandom } from '../simulation/seeded-random.ts'

const letters = Array.from('abcdefghijklmnopqrstuvwxyz')
const inside = [...letters, ...Array.from('0123456789-')]

/** Lower case, and never the same twice because of the number in it. */
export function freshName(random: SeededRandom, number: number): string {
  const labels = Array.from({ length: random.integer(0, 3) }, () => label(random, random.chance(0.05) ? 63 : random.integer(1, 16)))
  return [...labels, `h${number}`, random.pick(['example', 'test', 'internal.example'])].join('.')
}

/** What a sloppy comparison would take for `name`, but it is another one. */
export function closeTo(random: SeededRandom, name: string): string {
  const close = random.pick([`x${name}`, `${name}x`, `${name}.x`, name.slice(1), name.slice(0, -1), name.replace('.', '-')])
  return /^(?:[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]+$/.test(close) ? close : `x.${name}`
}

/** Some letters in upper case: a name means the same (RFC 4343). */
export function withCapitals(random: SeededRandom, name: string): string {
  return Array.from(name, (character) => (random.chance(0.5) ? character.toUpperCase() : character)).join('')
}

function label(random: SeededRandom, length: number): string {
  const middle = Array.from({ length }, () => random.pick(inside)).join('')
  // Two hyphens in the third and fourth place mark an A-label, and clients refuse one that is not.
  const text = `${random.pick(letters)}${middle}`.slice(0, length).replaceAll('--', '-0')
  return text.replace(/-$/, '0')
}
