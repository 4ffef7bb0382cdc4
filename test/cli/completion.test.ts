import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { completionCommand } from '../../src/cli/completion.ts'
import { completionTree } from '../../src/cli/completion/tree.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { run } from './harness.ts'

async function script(shell: string): Promise<string> {
  const { error, out } = await run((ports) => completionCommand(buildProgram, ports), [shell])
  expect(error).toBeNull()
  return out
}

/** What a real bash offers for the last of these words. */
function offered(bash: string, ...words: string[]): string[] {
  const call = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _waybill; printf "%s\\n" "${COMPREPLY[@]}"'
  const out = execFileSync('bash', ['-c', `${bash}\n${call}`, 'bash', 'waybill', ...words]).toString()
  return out.split('\n').filter((word) => word !== '')
}

describe('bash', () => {
  test('completes verbs, verbs of verbs, flags, and values', async () => {
    const bash = await script('bash')
    expect(offered(bash, 'po')).toEqual(['pools'])
    expect(offered(bash, 'backends', '')).toEqual(expect.arrayContaining(['add', 'drain', 'list', 'remove', 'resume', 'show']))
    expect(offered(bash, 'backends', 'drain', 'payments', '10.0.4.11:8443', '--wa')).toEqual(['--wait'])
    expect(offered(bash, 'events', '--stream', 'con')).toEqual(['control', 'connections'])
    expect(offered(bash, 'pools', 'create', 'x', '--algorithm', 'r')).toEqual(['random', 'round_robin'])
    expect(offered(bash, 'listeners', 'change', 'shared', '--no')).toEqual(['--no-sni', '--not-tls'])
    expect(offered(bash, 'pools', 'change', 'x', '--min-tls-version', 'TLSv1.')).toEqual(['TLSv1.1', 'TLSv1.2', 'TLSv1.3'])
    expect(offered(bash, 'serve', '--log-level', 'w')).toEqual(['warn'])
    expect(offered(bash, 'completion', '')).toEqual(expect.arrayContaining(['bash', 'fish', 'zsh']))
    expect(offered(bash, 'pools', 'list', '--api', '')).toEqual([])
    expect(offered(bash, 'check', 'package.js')).toEqual(['package.json'])
    expect(offered(bash, 'state', '--data', 'src/cl')).toEqual(['src/cli'])
  })
  test('is what bash accepts', async () => {
    execFileSync('bash', ['-n'], { input: await script('bash') })
  })
})

test.each(['bash', 'fish', 'zsh'])('the script for %s knows every verb and every flag', async (shell) => {
  const text = await script(shell)
  for (const { flags, path, verbs } of completionTree(buildProgram())) {
    for (const { name } of verbs) expect(text, `${path.join(' ')} ${name}`).toContain(name)
    for (const { name } of flags) expect(text, `${path.join(' ')} ${name}`).toContain(shell === 'fish' ? `-l ${name.slice(2)}` : name)
  }
})

test('a shell that is not known is a wrong call', async () => {
  expect((await run((ports) => completionCommand(buildProgram, ports), ['tcsh'])).error).toMatchObject({ name: 'CommanderError' })
})
