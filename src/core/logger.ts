/** What the program says about itself to whoever runs it; never audit data, which goes into the log as records. */
export interface Logger {
  debug(sentence: string, fields?: LogFields): void
  info(sentence: string, fields?: LogFields): void
  warn(sentence: string, fields?: LogFields): void
  error(sentence: string, fields?: LogFields): void
}

/** Facts beside the sentence. An `error` field is written with its code, stack and causes. */
export type LogFields = object

/** For tests and tools that have nobody to tell. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}
