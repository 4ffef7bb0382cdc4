import type { Clock } from '../../core/clock.ts'
import type { ByteSink } from '../../core/logger.ts'
import { unprintableEscaped } from '../../core/printable.ts'
import { createLogger, type LogLevel, type ProgramLogger } from '../logger.ts'
import { HeldLines } from './held-lines.ts'

/** The logger of a process with everything between it and standard output. */

export interface ProgramLogOptions {
  readonly level: LogLevel
  readonly form: 'json' | 'pretty'
  /** Whether whoever reads `pretty` sees colours. */
  readonly colours: boolean
  readonly clock: Clock
  /** As of the logger. */
  readonly earlyMax?: number
  readonly sink: ByteSink
  readonly holdUp: (ms: number) => void
}

export interface ProgramLog {
  readonly logger: ProgramLogger
  /** The last chance for lines that nobody has read yet, in the last moments of the process. */
  readonly flush: () => void
}

export async function startProgramLog({ level, form, colours, clock, earlyMax = 0, sink, holdUp }: ProgramLogOptions): Promise<ProgramLog> {
  const held = new HeldLines({ clock, sink, holdUp, onLost })
  // Loaded for those who ask for it.
  const write = form === 'pretty' ? (await import('./pretty.ts')).prettyLines(colours) : safeJson
  const logger = createLogger({ level, clock, about: {}, earlyMax, destination: { write: (line) => held.write(write(line)) } })

  function onLost(lines: number): void {
    logger.warn('lines of this log were lost here: nothing took what was written', { lines })
  }
  return { logger, flush: () => held.flush() }
}

/** JSON leaves a terminal's 8-bit orders and the marks that turn text around as they are. */
function safeJson(line: string): string {
  return `${unprintableEscaped(line.slice(0, -1))}\n`
}
