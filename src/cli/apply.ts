import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Difference } from '../../projections/configuration.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { systemDisk } from '../core/system/disk.ts'
import { ServerRefused } from './api-client.ts'
import { readDeclarationFile } from './declare.ts'
import { differenceLine } from './differences.ts'
import { printing, type Output } from './output.ts'
import { printable } from '../core/printable.ts'
import { callServer, say, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'

/** `waybill apply FILE`: sends a declaration file to a running server, and shows what is different now or would be. */

export interface ApplyPorts extends Pick<VerbPorts, 'stderr' | 'stdout'> {
  readonly disk: Pick<Disk, 'openToRead'>
}

interface ApplyOptions extends VerbOptions {
  readonly dryRun: boolean
}

/** The answer of POST /api/declarations. */
interface Application {
  readonly file: string
  readonly applied: boolean
  readonly objects: { readonly changed: number; readonly created: number; readonly removed: number }
  readonly differences: readonly Difference[]
  readonly settings_at_next_start: readonly { readonly name: string; readonly value: string | null }[]
  readonly warnings: readonly string[]
}

export function applyCommand(ports: ApplyPorts = { ...systemPorts, disk: systemDisk }): Command {
  return verb('apply <FILE>', 'Apply a declaration file (YAML) to a running server: pools, backends and listeners at once, settings at its next start', [
    'waybill apply --dry-run /etc/waybill/waybill.yaml',
    'waybill apply --data /var/lib/waybill /etc/waybill/waybill.yaml',
  ])
    .option('--dry-run', 'record nothing, only show what would be different', false)
    .action(async (file: string, options: ApplyOptions) => {
      const path = resolve(file)
      const content = contentOf(await readDeclarationFile(ports.disk, path), path)
      const application = await send(options, file, { content, file: path })
      for (const warning of application.warnings) say(ports, `note: ${printable(warning)}`)
      await printing(ports.stdout, options.json, (output) => show(output, application, options.dryRun))
    })
}

function contentOf(bytes: Uint8Array, path: string): string {
  try {
    // What is signed off is the file byte for byte, so a byte order mark stays.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new Fault('declaration_invalid', 'settings', `${path}:1:1: The file is not UTF-8.`, { cause })
  }
}

async function send(options: ApplyOptions, file: string, body: { readonly content: string; readonly file: string }): Promise<Application> {
  try {
    const answer = await callServer(options, 'apply a file', 'POST', `/api/declarations?dry_run=${options.dryRun}`, body)
    return answer.body as Application
  } catch (error) {
    const lines = error instanceof ServerRefused ? placedErrors(file, error.body) : []
    if (!(error instanceof ServerRefused) || lines.length === 0) throw error
    throw new Fault(error.code, error.source, lines.join('\n'), { cause: error })
  }
}

/** As a compiler would say it: `file:line:column: sentence`. */
function placedErrors(file: string, problem: unknown): string[] {
  const { errors } = (problem ?? {}) as { readonly errors?: unknown }
  if (!Array.isArray(errors)) return []
  return (errors as Record<string, unknown>[])
    .filter(({ line }) => typeof line === 'number')
    .map(({ column, line, sentence }) => printable(`${file}:${String(line)}:${String(column)}: ${String(sentence)}`))
}

async function show(output: Output, application: Application, dryRun: boolean): Promise<void> {
  if (output.json) return output.object(application)
  const { applied, differences, file, objects, settings_at_next_start: settings } = application
  for (const difference of differences) await output.text(differenceLine(difference))
  for (const { name, value } of settings) await output.text(printable(`At the next start: ${name} = ${value ?? '(left out)'}`))
  const counts = `${objects.created} created, ${objects.changed} changed, ${objects.removed} removed`
  if (differences.length === 0) await output.text(printable(`${file}: everything is so already; nothing was recorded.`))
  else await output.text(printable(`${file}: ${applied ? counts : `${counts}${dryRun ? ' if it is applied' : ''}; nothing was recorded`}.`))
}
