/** What every verb answers to the shell. */
export const exitCodes = {
  done: 0,
  /** It was tried and failed. */
  failed: 1,
  /** The call itself was wrong: a flag, a setting, an argument. */
  usage: 2,
} as const
