import { Problem } from './problem.ts'

/** How many clients may do something at once that takes everybody's time or holds a connection for long. */
export class Readers {
  readonly #most: number
  readonly #sentence: (reading: number) => string
  #reading = 0

  /** `sentence`: what whoever comes too late is told, with how many are there. */
  constructor(most: number, sentence: (reading: number) => string) {
    this.#most = most
    this.#sentence = sentence
  }

  /** A place, given back by disposing it, once. Throws the problem when there is none. */
  enter(): Disposable {
    if (this.#reading >= this.#most) throw new Problem('too_many_readers', this.#sentence(this.#reading))
    this.#reading += 1
    return { [Symbol.dispose]: () => void (this.#reading -= 1) }
  }
}
