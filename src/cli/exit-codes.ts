/**
 * What every verb answers to the shell, so that a script can tell its own mistake from the world's: `usage` when the same
 * call can never succeed (an unknown flag, a setting or an argument that is not valid, and what the server answers with 400
 * or 422), `failed` for everything else that went wrong (refused by a rule, no server, a damaged log, a problem found).
 */
export const exitCodes = {
  done: 0,
  /** It was tried and failed. */
  failed: 1,
  /** The call itself was wrong: a flag, a setting, an argument. */
  usage: 2,
} as const
