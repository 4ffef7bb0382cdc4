import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that goes when it is disposed of, with all that is in it. */
export class TemporaryFolder implements Disposable {
  readonly path: string

  /** `prefix` says to people what left it behind, should the process be killed. */
  constructor(prefix: string) {
    this.path = mkdtempSync(join(tmpdir(), prefix))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
