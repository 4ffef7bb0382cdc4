import { resolve } from 'node:path'
import { problemLines, readDeclaration, declarationBytesMax, declarationPathMax, type Declaration, type DeclarationReading } from '../config/declaration.ts'
import { configFileOf, readSettings, type Environment, type FlagTexts } from '../config/settings.ts'
import { SettingsInForce } from '../config/settings-in-force.ts'
import type { Application, By } from '../commands/applier.ts'
import type { Misfit } from '../commands/apply-targets.ts'
import type { Disk } from '../core/disk.ts'
import { errnoOf, Fault } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { CoreNode } from './core-node.ts'

/** The declaration file of a server: read before it starts, applied before the first client and on SIGHUP. */

/** Reads at most as many bytes as a declaration may have, and one to see that there are more. */
export async function readDeclarationFile(disk: Pick<Disk, 'openToRead'>, file: string): Promise<Buffer> {
  if (file.length > declarationPathMax) {
    throw new Fault('file_unreadable', 'settings', `the path of the declaration file has more than ${declarationPathMax} characters: ${file}`)
  }
  try {
    await using opened = await disk.openToRead(file)
    const bytes = Buffer.alloc(declarationBytesMax + 1)
    let length = 0
    for (;;) {
      const taken = await opened.read(bytes.subarray(length), length)
      length += taken
      if (taken === 0 || length === bytes.length) return bytes.subarray(0, length)
    }
  } catch (error) {
    throw new Fault('file_unreadable', 'disk', `the declaration file ${file} can't be read: ${errnoOf(error)}`, { cause: error })
  }
}

/** How a server was called, with the declaration file that was named, if any. */
export interface Called {
  readonly inForce: SettingsInForce
  readonly declaration: Declaration | null
}

/** Throws one `Fault` with every problem of flags, variables and file. */
export async function readCall(flags: FlagTexts, disk: Pick<Disk, 'openToRead'>, environment?: Environment): Promise<Called> {
  const named = configFileOf(flags, environment)
  if (named === null) return { declaration: null, inForce: new SettingsInForce(flags, null, environment) }
  const file = resolve(named)
  const reading = await readNamed(disk, file)
  if ('declaration' in reading) {
    return { declaration: reading.declaration, inForce: new SettingsInForce(flags, reading.declaration, environment) }
  }
  const others = problemsWithout(flags, environment)
  throw new Fault('declaration_invalid', 'settings', [...others, problemLines(file, reading.problems)].join('\n'))
}

/** A file that was named and is not there is as wrong as one with an error in it. */
async function readNamed(disk: Pick<Disk, 'openToRead'>, file: string): Promise<DeclarationReading> {
  try {
    return readDeclaration(await readDeclarationFile(disk, file), file)
  } catch (error) {
    if (error instanceof Fault) throw new Fault(error.code, 'settings', `--config: ${error.message}`, { cause: error })
    throw error
  }
}

function problemsWithout(flags: FlagTexts, environment: Environment | undefined): string[] {
  try {
    readSettings(flags, environment)
    return []
  } catch (error) {
    if (error instanceof Fault) return [error.message]
    throw error
  }
}

export interface DeclarerParts {
  readonly core: Pick<CoreNode, 'applier' | 'log'>
  readonly disk: Pick<Disk, 'openToRead'>
  readonly inForce: SettingsInForce
  readonly logger: Logger
}

/** Applies the declaration file of a server as the node itself. */
export class Declarer {
  readonly #parts: DeclarerParts
  readonly #file: string
  #running: Promise<void> | null = null
  #again = false

  constructor(file: string, parts: DeclarerParts) {
    this.#file = file
    this.#parts = parts
  }

  /** At start. Throws a `Fault` when the file as a whole is not in force afterwards. */
  async apply(declaration: Declaration): Promise<void> {
    const application = await this.#parts.core.applier.apply(declaration, this.#by())
    const failure = failureOf(declaration, application)
    if (failure !== null) throw failure
    this.#tell(application)
  }

  /** On SIGHUP: reads the file again and applies it. Asked again meanwhile, it is read once more after that. */
  reload(): Promise<void> {
    this.#again = true
    this.#running ??= this.#reloadWhileAsked()
    return this.#running
  }

  async #reloadWhileAsked(): Promise<void> {
    while (this.#again) {
      this.#again = false
      try {
        await this.#reload()
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        this.#parts.logger.error(`${error.message}\nThe configuration stays as it was, but for what is on record.`, { code: error.code })
      }
    }
    this.#running = null
  }

  async #reload(): Promise<void> {
    const { disk, inForce, logger } = this.#parts
    const reading = readDeclaration(await readDeclarationFile(disk, this.#file), this.#file)
    if ('problems' in reading) throw new Fault('declaration_invalid', 'settings', problemLines(this.#file, reading.problems))
    const next = inForce.atNextStart(reading.declaration)
    if ('problems' in next) throw new Fault('settings_invalid', 'settings', problemLines(this.#file, next.problems))
    await this.apply(reading.declaration)
    if (next.differences.length === 0) return
    logger.warn(`settings of ${this.#file} take effect with the next start`, {
      settings: Object.fromEntries(next.differences.map(({ name, value }) => [name, value])),
    })
  }

  #tell(application: Application): void {
    const { logger } = this.#parts
    if (application.kind === 'applied') {
      logger.info(`${this.#file} was applied`, { ...application.objects, revision: application.after.revision })
    } else if (application.kind === 'unchanged') {
      const applied = application.routing.declarations.get(this.#file)
      logger.info(`${this.#file} is unchanged since it was applied`, { revision: applied?.revision })
    }
  }

  #by(): By {
    return {
      actor: { authn: 'none', id: this.#parts.core.log.writer.node, type: 'node' },
      idempotency: null,
      origin: { ip: null, port: null, via: 'internal' },
    }
  }
}

/** Every refusal with its place in the file, one a line. */
export function misfitLines({ file, placeOf }: Pick<Declaration, 'file' | 'placeOf'>, misfits: readonly Misfit[]): string {
  return problemLines(file, misfits.map(({ path, refusal }) => ({ ...placeOf(path), sentence: refusal.sentence })))
}

function failureOf(declaration: Declaration, application: Application): Fault | null {
  if (application.kind === 'refused') {
    return new Fault('declaration_refused', 'settings', misfitLines(declaration, application.misfits))
  }
  if (application.kind !== 'stopped') return null
  const { answer, done, of, subject } = application
  const because = 'because' in answer ? `: ${answer.because}` : answer.kind === 'refused' ? `: ${answer.refusal.sentence}` : ''
  return new Fault(
    'declaration_stopped',
    'log',
    `${declaration.file}: ${done} of ${of} changes are on record, then ${subject} was ${answer.kind}${because}. Applying the file again does the rest.`,
  )
}
