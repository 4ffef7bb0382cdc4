import type { OtelLogs, OtelSettings } from '../config/otel.ts'
import type { Settings } from '../config/settings.ts'
import { systemClock } from '../core/system/clock.ts'
import { holdUpMs, openStandardOutput } from '../core/system/standard-output.ts'
import { listenToConnections } from '../telemetry/logs/connection-lines.ts'
import { startProgramLog } from '../telemetry/logs/program-log.ts'
import type { ProgramLogger } from '../telemetry/logger.ts'
import type { ResourceFacts } from '../telemetry/otlp/resource.ts'
import { unlessItFails } from './otlp-parts.ts'

/** What a server says about itself from its first to its last moment: on standard output and, where asked for, to a collector. */

export interface ProgramLines extends AsyncDisposable {
  readonly logger: ProgramLogger
  /** From here on it is known who speaks. Never rejects: lines on standard output are enough. */
  identify(facts: ResourceFacts): Promise<void>
}

export interface ProgramLinesOptions {
  readonly otel: Pick<OtelSettings, 'logs' | 'resource' | 'withoutSecrets'>
  readonly settings: Pick<Settings, 'log' | 'logLevel'>
}

/** Lines of a start, for a collector that is told of them once the node has its name. */
const earlyMax = 256

/** Its disposal sends the last lines, for a bounded time; on standard output it goes on until the process ends. */
export async function startProgramLines({ otel, settings }: ProgramLinesOptions): Promise<ProgramLines> {
  const form = settings.log
  const colours = form === 'pretty' && process.stdout.isTTY && process.stdout.hasColors()
  const { logger, flush } = await startProgramLog({
    level: settings.logLevel, form, colours, clock: systemClock, earlyMax: otel.logs === null ? 0 : earlyMax,
    sink: openStandardOutput(), holdUp: holdUpMs,
  })
  logger.hide(otel.withoutSecrets)
  // It changes nothing about the end: the stack goes to standard error as before, and here it can be shipped.
  process.on('uncaughtExceptionMonitor', (error) => logger.error('a bug of this program ends it', { error }))
  process.on('exit', flush)

  const parts = new AsyncDisposableStack()
  if (settings.logLevel === 'debug') parts.use(listenToConnections(logger))
  return {
    logger,
    identify: async (facts) => {
      const { cluster, node } = facts
      logger.identify({ cluster, node })
      if (otel.logs === null) return
      const { logs } = otel
      const sentence = 'lines can not be sent to an OpenTelemetry collector: its exporter does not start'
      parts.use(await unlessItFails({ logger, otel }, sentence, () => sendOn({ facts, logger, logs, otel })))
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

interface SendingOn {
  readonly facts: ResourceFacts
  readonly logger: ProgramLogger
  readonly logs: OtelLogs
  readonly otel: Pick<OtelSettings, 'resource' | 'withoutSecrets'>
}

async function sendOn({ facts, logger, logs: { batching, endpoint, protocol }, otel }: SendingOn): Promise<AsyncDisposable> {
  // Nothing of the SDK is loaded unless it is used.
  const { ExportWatch } = await import('../telemetry/otlp/export-watch.ts')
  const { resourceOf } = await import('../telemetry/otlp/resource.ts')
  const { loadLineExporter } = await import('../telemetry/logs/line-exporter.ts')
  const { LineExport } = await import('../telemetry/logs/line-export.ts')
  const watch = new ExportWatch({
    clock: systemClock, consequence: 'those that find no room or fail are on standard output alone', endpoint,
    // Not lines that are sent on: one that fails would make the next.
    logger: logger.unshared, what: 'lines of this log', withoutSecrets: otel.withoutSecrets,
  })
  const lines = new LineExport({
    batching, clock: systemClock, exporter: await loadLineExporter(protocol, facts.version), resource: resourceOf(facts, otel.resource),
    version: facts.version, watch,
  })
  const telling = logger.tellOn((line) => lines.add(line))
  return {
    [Symbol.asyncDispose]: async () => {
      telling[Symbol.dispose]()
      await lines[Symbol.asyncDispose]()
    },
  }
}
