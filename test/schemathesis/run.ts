import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { rawRecords, startWaybill, TemporaryFolder } from '../support/waybill.ts'
import { readArchive } from './archive.ts'
import { accessProblems, controlProblems } from './ledger.ts'

/**
 * Lets schemathesis (PyPI) loose on a running node by its own OpenAPI document, then holds what it was answered against
 * the log: `node test/schemathesis/run.ts [--schemathesis PATH] [--examples 50] [--seed 1] [--phases coverage,fuzzing,stateful]`.
 */

const { values } = parseArgs({
  options: {
    schemathesis: { type: 'string', default: 'schemathesis' },
    examples: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    phases: { type: 'string', default: 'coverage,fuzzing,stateful' },
  },
})

const here = import.meta.dirname
/** Local, and a page of a few hundred records: whoever takes longer hangs. */
const answerTimeoutSeconds = '10'

async function main(): Promise<number> {
  if (spawnSync(values.schemathesis, ['--version']).status !== 0) {
    say([`skipped: there is no ${values.schemathesis}; "pip install schemathesis", or say where it is with --schemathesis PATH`])
    return 0
  }
  using folder = new TemporaryFolder()
  const archive = join(folder.path, 'calls.har')
  const data = join(folder.path, 'data')
  await using node = await startWaybill(data)
  const verdict = await attack(node.api, archive, folder.path)
  const code = await node.stop()
  if (code !== 0) {
    say([`the node ended with ${code}:`, ...node.lines])
    return 1
  }

  const calls = readArchive(archive)
  const control = controlProblems(calls, rawRecords(data, 'control'))
  const problems = [...control.problems, ...accessProblems(calls, rawRecords(data, 'operations'))]
  say([`${calls.length} calls, ${control.effective} changes that took effect; the log does not fit the answers in ${problems.length} places`, ...problems])
  return problems.length === 0 ? verdict : 1
}

/** One worker, so that the order of the answers is that of the records. `folder`: where it leaves what it leaves behind. */
async function attack(api: string, archive: string, folder: string): Promise<number> {
  const child = spawn(
    values.schemathesis,
    [
      '--config-file', join(here, 'schemathesis.toml'), 'run', `${api}/openapi.json`, '--checks', 'all', '--workers', '1',
      '--phases', values.phases, '--max-examples', values.examples, '--seed', values.seed, '--continue-on-failure',
      '--request-timeout', answerTimeoutSeconds, '--report', 'har', '--report-har-path', archive, '--generation-database', 'none',
    ],
    {
      cwd: folder,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: here, SCHEMATHESIS_HOOKS: 'hooks' },
      stdio: 'inherit',
    },
  )
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

process.exitCode = await main()
