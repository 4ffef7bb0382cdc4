import { Command } from 'commander'
import { readOtelSettings } from '../config/otel.ts'
import { settingKeys, type FlagTexts } from '../config/settings.ts'
import { systemClock } from '../core/system/clock.ts'
import { systemDisk } from '../core/system/disk.ts'
import { readCall } from './declare.ts'
import { exitCodes } from './exit-codes.ts'
import { checkOtelFiles } from './otel-files.ts'
import { settingOption } from './setting-options.ts'
import { version } from './version.ts'

/** The verb `serve`: runs one node until a signal ends it. */

const example = `
Every setting is also an environment variable, shown in brackets, and a name under settings: in the declaration file
(--config), as in dial_timeout_ms. A flag wins over a variable, a variable over the file. On SIGHUP the file is read again.

Example:
  waybill serve --listen '[::]:8443' --api 127.0.0.1:4000 --data /var/lib/waybill
  waybill serve --config /etc/waybill/waybill.yaml --data /var/lib/waybill`

export function serveCommand(): Command {
  const command = new Command('serve').description('Run the proxy on the embedded log, until SIGTERM or SIGINT.')
  for (const key of settingKeys) command.addOption(settingOption(key))
  return command.addHelpText('after', example).action(async (flags: FlagTexts) => {
    try {
      process.exitCode = await run(flags)
    } finally {
      // An export to a collector that hangs waits for its own time-out. All that matters is on record: nobody waits for it.
      systemClock.every(lingerMs, () => process.exit())
    }
  })
}

/** Enough for what ends by itself; this timer alone keeps no process alive. */
const lingerMs = 200

async function run(flags: FlagTexts): Promise<number> {
  const called = await readCall(flags, systemDisk)
  const { settings } = called.inForce
  const stopping = signals()
  // Only here: the other verbs start in half the time without all that a server is made of.
  const { startProgramLines } = await import('./program-lines.ts')
  const otel = readOtelSettings()
  await checkOtelFiles(otel, systemDisk)
  await using lines = await startProgramLines({ otel, settings })
  const { logger } = lines
  // Without a declaration file SIGHUP keeps its meaning: the terminal is gone.
  const hangUp = called.declaration === null ? null : hangUps()
  const { startNode } = await import('./node.ts')
  const node = await Promise.race([startNode(called, logger, otel), stopping.first])
  if (typeof node === 'string') {
    // Whatever it waits for: nothing was accepted, and what it wrote so far the next start reads as after a crash.
    logger.warn(`${node}: ended before it was ready`)
    process.exit(exitCodes.done)
  }
  await lines.identify(node.facts)
  if (node.reload !== null) hangUp?.(node.reload)
  logger.info('ready', { api: node.api, listen: node.listen, ...(node.ops === null ? {} : { ops: node.ops }), version })
  const reason = await Promise.race([stopping.first, node.takenOver])
  const why = typeof reason === 'string' ? reason : `another process goes by the name of this node since ${reason.startedAt} (run ${reason.run})`
  logger.info(`${why}: no new clients; open connections may end for up to ${settings.drainTimeoutMs} ms, a second signal ends them now`)
  if (await node.stop(stopping.hurry, typeof reason === 'string' ? 'signal' : 'taken_over')) {
    logger.info('stopped; everything is on record')
    return typeof reason === 'string' ? exitCodes.done : exitCodes.failed
  }
  logger.error('stopped while the log could not be written: the next start closes on record what was open')
  return exitCodes.failed
}

/** The first signal asks for an orderly end, the second one for no more waiting. */
function signals(): { readonly first: Promise<NodeJS.Signals>; readonly hurry: AbortSignal } {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  const hurry = new AbortController()
  let seen = 0
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      seen += 1
      if (seen === 1) resolve(signal)
      else hurry.abort()
    })
  }
  return { first: promise, hurry: hurry.signal }
}

/** SIGHUP asks to read the declaration file again; one that comes before there is somebody to read it is kept. */
function hangUps(): (reload: () => Promise<void>) => void {
  let early = false
  let reload: (() => Promise<void>) | null = null
  process.on('SIGHUP', () => {
    if (reload === null) early = true
    else void reload()
  })
  return (given) => {
    reload = given
    if (early) void given()
  }
}
