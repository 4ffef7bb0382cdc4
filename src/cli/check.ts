import { resolve } from 'node:path'
import type { Command } from 'commander'
import { rehearse } from '../commands/rehearsal.ts'
import type { Request, Rules, Stamp } from '../commands/decision.ts'
import { readDeclaration, problemLines, type Declaration } from '../config/declaration.ts'
import type { FileProblem } from '../config/declaration-yaml.ts'
import { placed, SettingsInForce } from '../config/settings-in-force.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { systemDisk } from '../core/system/disk.ts'
import { readDeclarationFile } from './declare.ts'
import { exitCodes } from './exit-codes.ts'
import { outsidePools, routingWith } from './outside-pools.ts'
import { printing } from './output.ts'
import { printable } from '../core/printable.ts'
import { plainVerb, systemExit, systemPorts, type ExitPort, type VerbPorts } from './verb.ts'

/** `waybill check FILE`: every problem of a declaration file that can be found without a server. */

export interface CheckPorts extends ExitPort, Pick<VerbPorts, 'stdout'> {
  readonly disk: Pick<Disk, 'openToRead'>
}

const systemCheckPorts: CheckPorts = { ...systemExit, disk: systemDisk, stdout: systemPorts.stdout }

export function checkCommand(ports: CheckPorts = systemCheckPorts): Command {
  return plainVerb('check <FILE>', 'Check a declaration file without a server: form, settings, and conflicts within the file', [
    'waybill check /etc/waybill/waybill.yaml',
    'waybill check --json waybill.yaml | jq .problems',
  ])
    .option('--json', 'one JSON object, for programs', false)
    .action(async (file: string, { json }: { readonly json: boolean }) => {
      const path = resolve(file)
      const found = problemsIn(await readDeclarationFile(ports.disk, path), path)
      await printing(ports.stdout, json, async (output) => {
        const { declaration, notes, problems } = found
        if (json) return output.object({ file: path, valid: problems.length === 0, problems, notes })
        if (declaration === null) await output.text(printableLines(problemLines(file, problems)))
        else await output.text(`${printable(file)} is valid: ${countsOf(declaration)}`)
        if (notes.length > 0) await output.text(printableLines(problemLines(file, notes)))
      })
      if (found.declaration === null) ports.exit(exitCodes.failed)
    })
}

/** A declaration without problems, or problems without a declaration. Notes: what only a server can tell. */
type Found = { readonly notes: readonly FileProblem[] } & (
  | { readonly declaration: Declaration; readonly problems: readonly [] }
  | { readonly declaration: null; readonly problems: readonly FileProblem[] }
)

/** Nothing of a check is recorded, so nobody has to have asked. */
const nobody = {
  actor: { authn: 'none', id: 'check', type: 'local' },
  idempotency: null,
  ifMatch: null,
  origin: { ip: null, port: null, via: 'internal' },
  recordId: '00000000-0000-7000-8000-000000000000',
  time: '1970-01-01T00:00:00.000Z',
} as const satisfies Omit<Request & Stamp, 'change' | 'file'>

function problemsIn(bytes: Uint8Array, file: string): Found {
  const reading = readDeclaration(bytes, file)
  if ('problems' in reading) return { declaration: null, notes: [], problems: reading.problems }
  const { declaration } = reading
  const outside = outsidePools(declaration)
  const notes = outside.map(({ name, path }) => ({ ...declaration.placeOf(path), sentence: noteOf(name) }))
  const rules = rulesOf(declaration)
  if ('problems' in rules) return { declaration: null, notes, problems: rules.problems }
  const rehearsal = rehearse(routingWith(outside), declaration, { ...nobody, change: declaration.change, file }, rules)
  if (rehearsal.kind === 'possible') return { declaration, notes, problems: [] }
  const problems = rehearsal.misfits.map(({ path, refusal }) => ({ ...declaration.placeOf(path), sentence: refusal.sentence }))
  return { declaration: null, notes, problems }
}

function noteOf(pool: string): string {
  return `Note: pool "${pool}" is not in this file; apply checks that it exists and is what its listeners need.`
}

/** As a server would have them that is started with this file and nothing else. */
function rulesOf(declaration: Declaration): Rules | { readonly problems: readonly FileProblem[] } {
  try {
    const { api, autoDefaultRoute, listen, ops } = new SettingsInForce({}, declaration, {}).settings
    return { api, autoDefaultRoute, ops, sharedListen: listen }
  } catch (error) {
    if (error instanceof Fault) return { problems: placed(error.message, declaration.file) }
    throw error
  }
}

function countsOf({ listeners, pools: declared, settings }: Declaration): string {
  const pools = declared ?? []
  const backends = pools.reduce((sum, pool) => sum + (pool.backends?.length ?? 0), 0)
  const counts = [counted(pools.length, 'pool'), counted(backends, 'backend'), counted(Object.keys(listeners ?? {}).length, 'listener')]
  return [...counts, counted(settings.length, 'setting')].join(', ')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function printableLines(lines: string): string {
  return lines.split('\n').map(printable).join('\n')
}
