#!/usr/bin/env -S node --max-semi-space-size=64
import { Command, CommanderError } from 'commander'
import { eventsCommand } from './cli/events.ts'
import { exitCodes } from './cli/exit-codes.ts'
import { reportFailure } from './cli/failure.ts'
import { serveCommand } from './cli/serve.ts'
import { version } from './cli/version.ts'

/** Dispatches to the verbs. Exit codes: 0 done, 1 it failed, 2 the call was wrong. */

const program = new Command('waybill')
  .description('Audited TLS passthrough proxy and load balancer: forwards TLS without decrypting it, and records who and when.')
  .version(version)
  .addCommand(serveCommand())
  .addCommand(eventsCommand())
  .showHelpAfterError('(waybill --help lists the verbs)')
  .exitOverride()
for (const command of program.commands) command.exitOverride()

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  else process.exitCode = reportFailure(error)
}
