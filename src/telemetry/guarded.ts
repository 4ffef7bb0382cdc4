import { messageOf } from '../core/errors.ts'
import type { Told } from '../core/channels.ts'
import type { Logger } from '../core/logger.ts'

/**
 * Keeps what goes wrong in telemetry inside of it: a bug there must not end a node that serves clients. Each thing that
 * fails is told once, however often it goes on to fail.
 */
export class Guard {
  readonly #logger: Logger
  readonly #said = new Set<string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** `what` names the thing, of which there are few. Null: it failed. */
  run<Result>(what: string, work: () => Result): Result | null {
    try {
      return work()
    } catch (error) {
      this.tell(what, error)
      return null
    }
  }

  listen<Message>(what: string, channel: Told<Message>, listener: (message: Message) => void): Disposable {
    return channel.listen((message) => {
      try {
        listener(message)
      } catch (error) {
        this.tell(what, error)
      }
    })
  }

  tell(what: string, error: unknown): void {
    if (this.#said.has(what)) return
    this.#said.add(what)
    this.#logger.error(`telemetry: ${what} failed, so it is not complete from here on; clients are not affected: ${messageOf(error)}`, { error })
  }
}
