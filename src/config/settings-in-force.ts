import { Fault } from '../core/errors.ts'
import type { Declaration } from './declaration.ts'
import type { FileProblem } from './declaration-yaml.ts'
import { readSettings, settingTexts, type Environment, type FlagTexts, type Settings } from './settings.ts'

/**
 * The settings that this process runs by and how it was called, so that it can be said what another declaration file
 * would mean for the next start with the same flags and variables.
 */

export interface NextStart {
  /** What would be different from now; `value` null: left out, so decided elsewhere. */
  readonly differences: readonly { readonly name: string; readonly value: string | null }[]
  /** The file has settings, and this process does not take settings from it. */
  readonly ignored: boolean
}

export class SettingsInForce {
  readonly settings: Settings
  readonly #flags: FlagTexts
  readonly #environment: Environment
  /** Absolute path of the declaration file that settings are taken from; null: none. */
  readonly #file: string | null

  /** Throws what `readSettings` throws. */
  constructor(flags: FlagTexts, declaration: Declaration | null, environment: Environment = process.env) {
    this.settings = readSettings(flags, environment, declaration?.settings)
    this.#flags = flags
    this.#environment = environment
    this.#file = declaration?.file ?? null
  }

  /** `problems`: the settings of the file contradict each other or the flags, and a start would end with them. */
  atNextStart({ file, settings }: Pick<Declaration, 'file' | 'settings'>): NextStart | { readonly problems: readonly FileProblem[] } {
    if (file !== this.#file) return { differences: [], ignored: settings.length > 0 }
    let next: Settings
    try {
      next = readSettings(this.#flags, this.#environment, settings)
    } catch (error) {
      if (error instanceof Fault) return { problems: placed(error.message, file) }
      throw error
    }
    const [now, then] = [textsOf(this.settings), textsOf(next)]
    const names = [...new Set([...now.keys(), ...then.keys()])].filter((name) => now.get(name) !== then.get(name))
    return { differences: names.toSorted().map((name) => ({ name, value: then.get(name) ?? null })), ignored: false }
  }
}

/** What `readSettings` says, a problem a line, with the place of those that begin with one. */
export function placed(message: string, file: string): readonly FileProblem[] {
  return message.split('\n').map((sentence) => {
    const place = sentence.startsWith(`${file}:`) ? /^:([0-9]+):([0-9]+): (.*)$/.exec(sentence.slice(file.length)) : null
    if (place === null) return { line: 1, column: 1, sentence }
    return { line: Number(place[1]), column: Number(place[2]), sentence: place[3]! }
  })
}

function textsOf(settings: Settings): ReadonlyMap<string, string> {
  return new Map(settingTexts(settings).map(({ name, value }) => [name, value]))
}
