import type { Labels, Series } from './metrics-registry.ts'

/** Plain numbers by the values of one or two labels: cheap to add to, and shown when somebody collects. */

/** More pairs than there is any use for; what comes after them is counted under `other`. */
const seriesMax = 1_000

interface Counted {
  readonly labels: Labels
  value: number
}

export class Counts {
  readonly #names: readonly string[]
  readonly #series = new Map<string, Counted>()

  /** `known`: values that are there from the start, so that the first one to be counted is an increase. */
  constructor(names: readonly [string] | readonly [string, string], known: readonly string[] = []) {
    this.#names = names
    for (const value of known) this.#seriesOf(value)
  }

  add(amount: number, first: string, second?: string): void {
    this.#seriesOf(first, second).value += amount
  }

  /** As of now. */
  series(): Series[] {
    return Array.from(this.#series.values(), ({ labels, value }) => ({ labels, value }))
  }

  #seriesOf(first: string, second?: string): Counted {
    const key = second === undefined ? first : `${first} ${second}`
    const known = this.#series.get(key)
    if (known !== undefined) return known
    if (this.#series.size >= seriesMax && first !== 'other') return this.#seriesOf('other', second === undefined ? undefined : 'other')
    const [name, secondName] = this.#names
    const series = { labels: { [name!]: first, ...(secondName === undefined || second === undefined ? {} : { [secondName]: second }) }, value: 0 }
    this.#series.set(key, series)
    return series
  }
}
