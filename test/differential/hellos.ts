/** Draws the routes of a run and the orders of its clients, and catches what the clients send: each hello with what is true of it. */
import type { SeededRandom } from '../simulation/seeded-random.ts'
import { payloadOf } from '../support/tls-hellos.ts'
import type { Asked, RealClient } from './clients.ts'
import type { Sound } from './damage.ts'
import { withName } from './hello-edits.ts'
import { closeTo, freshName, withCapitals } from './names.ts'

/** Where bytes end up: the label of a pool, or one of these. */
export type Place = string
/** No backend ever sees them. */
export const refused: Place = 'refused'
/** The pool of unknown names and of none. */
export const defaultPlace: Place = 'default'
export const namedPlaces: readonly Place[] = Array.from({ length: 8 }, (_, index) => `pool-${index + 1}`)

/** Which name leads where; any other, and none, to the default. */
export type Routes = ReadonlyMap<string, Place>

export interface Hello {
  readonly client: string
  readonly asked: Asked
  /** The handshake message. */
  readonly message: Buffer
  readonly place: Place
  /** The same with the name of a route, whatever the client asked for: to be damaged. */
  readonly sound: Sound
}

const protocols = ['h2', 'http/1.1', 'http/1.0', 'postgresql', 'imap', 'mqtt', 'acme-tls/1', 'x'] as const
const versionRanges = [['TLSv1.2', 'TLSv1.2'], ['TLSv1.2', 'TLSv1.3'], ['TLSv1.3', 'TLSv1.3']] as const

export function drawRoutes(random: SeededRandom, count: number): Routes {
  const places = (index: number): Place => namedPlaces[index % namedPlaces.length]!
  return new Map(Array.from({ length: count }, (_, index) => [freshName(random, index), places(index)]))
}

/** Hello number `index` of the run, around the route of that number. */
export async function makeHello(random: SeededRandom, clients: readonly RealClient[], routes: Routes, index: number): Promise<Hello> {
  const names = [...routes.keys()]
  const name = names[index]!
  const client = clients[index % clients.length]!
  const asked = drawAsked(random, client, routes, name)
  const message = payloadOf(Buffer.concat(await client.hello(asked)))
  const found = asked.name === null ? undefined : routes.get(asked.name.toLowerCase())
  return {
    client: client.label,
    asked,
    message,
    place: found ?? defaultPlace,
    sound: { message: withName(message, name), name, otherName: names[(index + 1) % names.length]! },
  }
}

function drawAsked(random: SeededRandom, client: RealClient, routes: Routes, name: string): Asked {
  const [minVersion, maxVersion] = random.pick(versionRanges)
  return {
    name: drawName(random, routes, name),
    alpn: client.alpnSets === null ? protocols.filter(() => random.chance(0.3)) : random.pick(client.alpnSets),
    minVersion,
    maxVersion,
  }
}

function drawName(random: SeededRandom, routes: Routes, name: string): string | null {
  const kind = random.weighted({ capitals: 4, none: 2, route: 8, unknown: 2 })
  if (kind === 'none') return null
  if (kind === 'capitals') return withCapitals(random, name)
  const unknown = closeTo(random, name)
  return kind === 'unknown' && !routes.has(unknown) ? unknown : name
}
