import type { Random } from '../../src/core/random.ts'

/** Randomness of a simulated world: the same seed and purpose give the same numbers, in every process. */
export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** Worlds draw for different purposes from different sources, so that one more draw here changes nothing there. */
  constructor(seed: number, purpose: string) {
    const mix = mixer(`${seed} ${purpose}`)
    this.#a = mix()
    this.#b = mix()
    this.#c = mix()
    for (let round = 0; round < 12; round += 1) this.#next()
  }

  fill(into: Uint8Array): void {
    for (let index = 0; index < into.length; index += 1) into[index] = this.#next() & 0xff
  }
  float(): number {
    return this.#next() / 0x1_0000_0000
  }
  /** Uniform, both ends included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.float() * (most - least + 1))
  }
  chance(probability: number): boolean {
    return this.float() < probability
  }
  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.float() * items.length)]!
  }
  /** One of the keys, as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const keys = Object.keys(weights) as Key[]
    let left = this.float() * keys.reduce((sum, key) => sum + weights[key], 0)
    for (const key of keys) {
      left -= weights[key]
      if (left < 0) return key
    }
    return keys.at(-1)!
  }

  /** sfc32: small, fast, and passes PractRand. */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }
}

/** Numbers from a text (FNV-1a, then a finaliser), to begin with. */
function mixer(text: string): () => number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
}
