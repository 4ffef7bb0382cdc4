import { execFileSync, spawnSync } from 'node:child_process'

/** promtool, the checker of Prometheus (Debian package: prometheus). */

/** Why it can't be asked; null: it can. Under CI it is an error instead, so that no run passes without. */
export function promtoolMissing(): string | null {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return null
  } catch (error) {
    const because = 'there is no promtool (Debian package: prometheus)'
    if ((process.env['CI'] ?? '') !== '') throw new Error(`under CI these tests are not skipped: ${because}`, { cause: error })
    return because
  }
}

export function promtool(...words: readonly string[]): { readonly code: number | null; readonly output: string } {
  const { status, stderr, stdout } = spawnSync('promtool', words, { encoding: 'utf8' })
  return { code: status, output: `${stdout}${stderr}` }
}
