/** What the program says about itself to whoever runs it; never audit data, which goes into the log as records. */
export interface Logger {
  debug(sentence: string, fields?: LogFields): void
  info(sentence: string, fields?: LogFields): void
  warn(sentence: string, fields?: LogFields): void
  error(sentence: string, fields?: LogFields): void
}

/**
 * Facts beside the sentence, in snake_case. An `error` is written with its code, stack and causes; lines about one
 * connection or one call carry its `connection_id`, `request_id` and, where there is one, `trace_id` with `span_id`.
 */
export type LogFields = object

/** Where lines go in the end. */
export interface ByteSink {
  /**
   * Takes what fits now and returns how many bytes that was, 0: none. Never waits. Throws what the system says against it.
   */
  write(bytes: Uint8Array): number
}

/** For tests and tools that have nobody to tell. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}
