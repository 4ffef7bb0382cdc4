#!/usr/bin/env -S node --max-semi-space-size=64
import { CommanderError } from 'commander'
import { exitCodes } from './cli/exit-codes.ts'
import { reportFailure } from './cli/failure.ts'
import { buildProgram } from './cli/program.ts'

/** Dispatches to the verbs. Exit codes: 0 done, 1 it failed, 2 the call was wrong (src/cli/exit-codes.ts tells more). */

try {
  await buildProgram().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  else process.exitCode = reportFailure(error)
}
