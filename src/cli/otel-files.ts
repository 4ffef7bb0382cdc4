import type { OtelSettings } from '../config/otel.ts'
import { readWhole, type Disk } from '../core/disk.ts'
import { errnoOf, Fault } from '../core/errors.ts'
import { problemOfPem } from '../core/system/certificates.ts'

/**
 * The PEM files of the OTEL_* variables, before an exporter reads them: that one goes on without a file that it can't read,
 * and would send tokens to whoever the machine trusts.
 */

/** Throws one `Fault` (`settings_invalid`) that names every variable and file. */
export async function checkOtelFiles({ files }: Pick<OtelSettings, 'files'>, disk: Disk): Promise<void> {
  const problems: string[] = []
  for (const { holds, path, variable } of files) {
    try {
      const problem = problemOfPem(await readWhole(disk, path), holds)
      if (problem !== null) problems.push(`${variable}: ${path}: ${problem}.`)
    } catch (error) {
      problems.push(`${variable}: ${path} can't be read (${errnoOf(error)}).`)
    }
  }
  if (problems.length > 0) throw new Fault('settings_invalid', 'settings', problems.join('\n'))
}
