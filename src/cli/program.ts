import { Command } from 'commander'
import { applyCommand } from './apply.ts'
import { backendsCommand } from './backends.ts'
import { checkCommand } from './check.ts'
import { completionCommand } from './completion.ts'
import { connectionsCommand } from './connections.ts'
import { demoCommand } from './demo.ts'
import { diffCommand } from './diff.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { eventsCommand } from './events.ts'
import { kafkaCommand } from './kafka.ts'
import { listenersCommand } from './listeners.ts'
import { logCommand } from './log-copy.ts'
import { nodeCommand, nodesCommand } from './nodes.ts'
import { poolsCommand } from './pools.ts'
import { serveCommand } from './serve.ts'
import { stateCommand } from './state.ts'
import { trailCommand } from './trail.ts'
import { version } from './version.ts'

/** The whole command line as one tree: what is dispatched, what completion knows, and what a test walks. */
export function buildProgram(): Command {
  const program: Command = new Command('waybill')
    .description('Audited TLS passthrough proxy and load balancer: forwards TLS without decrypting it, and records who and when.')
    .version(version)
    .addHelpText('after', '\nExamples:\n  waybill demo\n  waybill serve --data /var/lib/waybill\n  waybill pools list')
  const verbs = [
    demoCommand(), serveCommand(), doctorCommand(),
    poolsCommand(), backendsCommand(), listenersCommand(), connectionsCommand(),
    nodesCommand(), nodeCommand(),
    checkCommand(), applyCommand(),
    eventsCommand(), stateCommand(), diffCommand(), trailCommand(),
    kafkaCommand(), logCommand(),
    completionCommand(() => program),
  ]
  for (const command of verbs) program.addCommand(command)
  throwInsteadOfExiting(program)
  return program
}

function throwInsteadOfExiting(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help tells more)')
  for (const inner of command.commands) throwInsteadOfExiting(inner)
}
