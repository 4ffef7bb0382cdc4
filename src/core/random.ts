/** The only source of randomness. Handed in through constructors, so that a simulation can seed it. */
export interface Random {
  /** Fills the whole array with random bytes. */
  fill(into: Uint8Array): void
  /** Uniform in [0, 1). */
  float(): number
}
