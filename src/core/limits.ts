/**
 * Every bound that no setting changes, with its reason. Units come last in the name. Bounds that operators tune are
 * settings (src/config) whose defaults live there.
 */

/** A tlog-tiles entry holds 65,535 bytes; a control record must fit in one with room for its framing. */
export const controlRecordBytesMax = 60_000
/** One record of the other streams: large enough for a truncated-with-a-flag list, small enough to fold a million. */
export const recordBytesMax = 32_768
/** What the reserve is divided by: a closing record never needs more. */
export const closingRecordBytesMax = 2_816
/** The most that one commit writes, and so the most that a crash can leave torn at the end of a segment. */
export const commitBytesMax = 8 * 1024 * 1024
/** Segments are closed and compressed past this size. */
export const segmentBytes = 64 * 1024 * 1024
/** Further from the brokers' clock a node takes no changes: records of two nodes would tell another order than the log's. */
export const clockSkewMaxMs = 2_000
/** How often a command is decided again after losing the race for a revision. */
export const decisionAttemptsMax = 16
/** Other backends tried after the first dial failed, before any byte was sent. */
export const dialRetriesMax = 3
/** Refusals recorded one by one, per listener and second; above that they are counted by key. */
export const refusalsRecordedPerSecond = 100
/** Distinct (reason, client network) keys per second and listener; the rest is counted under `other`. */
export const refusalKeysPerSecond = 1_000
