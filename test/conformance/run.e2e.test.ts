import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownHellos, skipReason, vectorsMissing } from '../support/tls-hellos-vectors.ts'
import { firstBytesFile, fuzzFile, helloFiles } from './corpus.ts'
import { documentedResult } from './document.ts'

/** The whole of it: some 10 s of work, and more on a busy machine. */
const runTimeoutMs = 240_000

function run(args: readonly string[], environment: Readonly<Record<string, string | undefined>> = {}) {
  const { CI: _, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/conformance/run.ts', ...args], {
    encoding: 'utf8',
    env: { ...inherited, ...environment },
    timeout: runTimeoutMs,
  })
  return { status, stdout, stderr }
}

describe.skipIf(vectorsMissing)(`npm run conformance (${vectorsMissing ? skipReason : 'with the shared vectors'})`, () => {
  test(
    'every number of the table is complete, and docs/conformance.md shows this table',
    () => {
      const { status, stdout, stderr } = run([])
      expect([stderr, status]).toEqual(['', 0])
      expect(stdout).toContain(
        'Shared vectors: 809 of 809 definite answers, whole, in the listed cuts and byte by byte ' +
          '(805 of 805 without the 4 hellos that are given as a recipe); no mismatch in any column.',
      )
      expect(stdout).not.toContain('MISMATCH')
      const scores = [...stdout.matchAll(/(\d+)\/(\d+)/g)]
      expect(scores.length).toBeGreaterThan(140)
      expect(scores.filter(([, right, of]) => right !== of)).toEqual([])
      expect(stdout.trim(), 'write it with "npm run conformance -- --write"').toBe(documentedResult())
    },
    runTimeoutMs,
  )
})

describe('npm run conformance, on other folders', () => {
  let folder = ''
  const labelled = (changes: Readonly<Record<string, unknown>>) => {
    const vector = ownHellos().find(({ id }) => id === 'curl/HTTP/2')!
    return [{ ...vector, expected: { ...vector.expected, ...changes } }]
  }
  const fill = (vectors: readonly unknown[]) => {
    for (const file of [...helloFiles, fuzzFile, firstBytesFile]) {
      writeFileSync(join(folder, file), JSON.stringify({ vectors: file === 'clienthello-live.json' ? vectors : [] }))
    }
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-vectors-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test(
    'one wrong expectation is reported and fails it',
    () => {
      fill(labelled({}))
      expect(run(['--vectors', folder])).toMatchObject({ status: 0, stderr: '' })
      fill(labelled({ alpn: ['h2'] }))
      const { status, stdout } = run(['--vectors', folder])
      expect(status).toBe(1)
      expect(stdout).toContain(
        'Shared vectors: 1 of 1 definite answers, whole, in the listed cuts and byte by byte; 1 mismatches in any column.',
      )
      expect(stdout).toMatch(
        /MISMATCH clienthello-live\.json curl\/HTTP\/2, fields\n {2}expected .*"alpn":\["h2"\].*\n {2}got {6}.*"alpn":\["h2","http\/1\.1"\]/,
      )
    },
    runTimeoutMs,
  )

  test(
    'without the shared vectors it checks its own and says so; where CI is set, that is a failure',
    () => {
      const missing = join(folder, 'nowhere')
      const here = run(['--vectors', missing])
      expect([here.stderr, here.status]).toEqual(['', 0])
      expect(here.stdout).toMatch(/^\| openssl\.json .*$/m)
      expect(here.stdout).toContain(`skipped: ${missing} is not there, so only this project's own hellos were checked`)
      const there = run(['--vectors', missing], { CI: 'true' })
      expect(there.status).toBe(1)
      expect(there.stdout).toContain(`${missing} is not there: put the shared vectors`)
    },
    runTimeoutMs,
  )
})
