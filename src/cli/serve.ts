import { Command, Option } from 'commander'
import { readSettings, settingFlag, settingKeys, settingTable, settingVariable, type FlagTexts, type SettingKey } from '../config/settings.ts'
import { systemClock } from '../core/system/clock.ts'
import { createLogger } from '../telemetry/logger.ts'
import { exitCodes } from './exit-codes.ts'
import { startNode } from './node.ts'
import { version } from './version.ts'

/** The verb `serve`: runs one node until a signal ends it. */

const example = `
Every setting is also an environment variable, shown in brackets; a flag wins.

Example:
  waybill serve --listen '[::]:8443' --api 127.0.0.1:4000 --data /var/lib/waybill`

export function serveCommand(): Command {
  const command = new Command('serve').description('Run the proxy on the embedded log, until SIGTERM or SIGINT.')
  for (const key of settingKeys) command.addOption(optionOf(key))
  return command.addHelpText('after', example).action(async (flags: FlagTexts) => {
    process.exitCode = await run(flags)
  })
}

function optionOf(key: SettingKey): Option {
  const { default: fallback, description, form } = settingTable[key]
  const shown = fallback === null ? '' : `, default ${fallback}`
  return new Option(`${settingFlag(key)} <${form}>`, `${description} [${settingVariable(key)}${shown}]`)
}

async function run(flags: FlagTexts): Promise<number> {
  const settings = readSettings(flags)
  const logger = createLogger({ level: settings.logLevel, clock: systemClock, about: {} })
  const stopping = signals()
  const node = await startNode(settings, logger)
  logger.info('ready', { api: node.api, listen: node.listen, version })
  const signal = await stopping.first
  logger.info(`${signal}: no new clients; open connections may end for up to ${settings.drainTimeoutMs} ms, a second signal ends them now`)
  if (await node.stop(stopping.hurry)) {
    logger.info('stopped; everything is on record')
    return exitCodes.done
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
