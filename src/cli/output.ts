import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { jsonLine } from '../core/printable.ts'

/** What a verb prints on standard output, as fast as its reader takes it, and an end without a complaint when the reader is gone. */
export class Output {
  readonly stream: Writable
  /** One JSON object a line, for programs; otherwise text for people. */
  readonly json: boolean
  #broken: Error | null = null

  constructor(stream: Writable, json: boolean) {
    this.stream = stream
    this.json = json
    stream.on('error', this.#onError)
  }

  readonly #onError = (error: Error): void => {
    this.#broken ??= error
  }

  /** Text that is safe for a terminal already: sentences of this program, tables, `printable` texts. */
  async text(text: string): Promise<void> {
    await this.#write(`${text}\n`)
  }

  async object(value: object): Promise<void> {
    await this.#write(jsonLine(value))
  }

  /** Whole lines as they are. */
  async bytes(lines: Uint8Array): Promise<void> {
    await this.#write(lines)
  }

  async #write(chunk: string | Uint8Array): Promise<void> {
    if (this.#broken !== null) throw this.#broken
    if (this.stream.write(chunk)) return
    await once(this.stream, 'drain')
  }
}

/** Whoever read the output may have seen enough (`| head`): that ends the verb and is no failure. */
export async function printing(stdout: Writable, json: boolean, print: (output: Output) => Promise<void>): Promise<void> {
  const output = new Output(stdout, json)
  try {
    await print(output)
  } catch (error) {
    if (!isReaderGone(error)) throw error
  }
}

/** EPIPE of a server's socket is a `Fault` by the time anybody sees it, so this one is of standard output. */
function isReaderGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE'
}
