import { CommanderError, type Command } from 'commander'
import { Writable } from 'node:stream'

/** Runs one verb as the program does and keeps what it prints. */

export interface Printed {
  readonly out: string
  readonly error: unknown
}

export class Screen extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export async function runVerb(command: Command, screen: Screen, argv: readonly string[]): Promise<Printed> {
  command.exitOverride().configureOutput({ writeOut: (text) => screen.write(text), writeErr: (text) => screen.write(text) })
  try {
    await command.parseAsync(argv, { from: 'user' })
    return { out: screen.text, error: null }
  } catch (error) {
    if (error instanceof CommanderError) return { out: screen.text, error: error.exitCode === 0 ? null : error }
    return { out: screen.text, error }
  }
}
