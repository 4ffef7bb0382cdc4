/** How much configuration there may be: what the tests and the benchmark cover, far above what one node serves well. */
export const poolsMax = 1_000
export const backendsPerPoolMax = 256
export const serverNamesPerPoolMax = 256
/** Commands waiting for the desk, which runs one at a time; more are turned away at once instead of waiting long. */
export const commandsWaitingMax = 64
