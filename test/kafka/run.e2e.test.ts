import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { ownBrokersMissing } from '../support/kafka/jars.ts'
import { isServing } from '../support/kafka/ports.ts'
import { until } from '../support/kafka/topic-checks.ts'
import { root } from '../support/waybill.ts'

/** `npm run kafka`, as a developer has it: it says where the broker is, and leaves nothing however it ends. */

const missing = await ownBrokersMissing()

describe.skipIf(missing !== null)(`npm run kafka${missing === null ? '' : ` (skipped: ${missing})`}`, { concurrent: true, timeout: 90_000 }, () => {
  test.each([['SIGTERM', 0], ['SIGINT', 0], ['SIGKILL', null]] as const)('ends its broker on %s', async (signal, code) => {
    const program = spawn(process.execPath, [join(root, 'test', 'support', 'kafka', 'run.ts')], { stdio: ['ignore', 'pipe', 'pipe'] })
    const errors = text(program.stderr)
    const ended = once(program, 'exit')
    let said = ''
    program.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await until(() => said.includes('npm start') || program.exitCode !== null)
    expect(said, program.exitCode === null ? '' : await errors).toMatch(/^Kafka listens at 127\.0\.0\.1:\d+/)
    const [, port, folder] = /127\.0\.0\.1:(\d+); its data is in (\S+) /.exec(said)!
    expect(said).toContain(`npm start -- --kafka 127.0.0.1:${port}\n`)
    expect([await isServing(Number(port), 1), existsSync(folder!)]).toEqual([true, true])

    program.kill(signal)
    expect(await ended).toEqual(code === null ? [null, signal] : [code, null])
    await until(async () => !existsSync(folder!) && !(await isServing(Number(port), 1)))
  })
})
