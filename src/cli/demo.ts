import type { Command } from 'commander'
import { exitCodes } from './exit-codes.ts'
import { plainVerb } from './verb.ts'

/** The verb `demo`: what a visitor runs first. */
export function demoCommand(): Command {
  return plainVerb('demo', 'Show it at work: two TLS backends, a proxy, a failure, a look into the past; leaves nothing behind', ['waybill demo'])
    .action(async () => {
      // Only here: the other verbs start in half the time without all that a server is made of.
      const { runDemo } = await import('./demo/demo.ts')
      const completed = await runDemo((line = '') => process.stdout.write(`${line}\n`))
      if (!completed) process.exitCode = exitCodes.failed
    })
}
