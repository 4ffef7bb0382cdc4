import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'
import { reasonAgainstBroker, reasonAgainstCheck } from './cluster.ts'
import { describeKills, runKills } from './kills.ts'

/**
 * The test of killed nodes and brokers for as long and as hard as wanted, and with a seed one that does more than kill:
 * `node test/e2e/cluster/run.ts --seconds 60 --rate 800`, `node test/e2e/cluster/run.ts --seed 7 --seconds 300`.
 */

const { values } = parseArgs({
  options: {
    changes: { type: 'string', default: '100' },
    rate: { type: 'string', default: '600' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
  },
})
const because = (await reasonAgainstBroker()) ?? (await reasonAgainstCheck())
if (because !== null) {
  process.stderr.write(`no cluster can be started here: ${because}\n`)
  process.exit(1)
}
const [rate, seconds] = [Number(values.rate), Number(values.seconds)]
const passed = values.seed === undefined ? await kills() : await chaos(Number(values.seed))
process.exitCode = passed ? 0 : 1

async function kills(): Promise<boolean> {
  const outcome = await runKills({ changes: Number(values.changes), rate, seconds })
  process.stdout.write(`${describeKills(outcome)}\n`)
  return outcome.passed
}

async function chaos(seed: number): Promise<boolean> {
  const { exitCodes, passed: all, report } = await runChaos({ rate, seconds, seed, tell: (what) => process.stdout.write(`${what}\n`) })
  process.stdout.write(`exit codes ${exitCodes.join(' ')}\n${report}\n`)
  return all
}
