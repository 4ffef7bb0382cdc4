import { execFile } from 'node:child_process'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder, exists, madeOnce } from '../cache-folder.ts'

/** A real OpenTelemetry Collector, which nobody here wrote: built once from its Go modules into a cache folder outside of the project. */

const versions = { collector: '0.155.0', stable: '1.61.0' }
const binaryFolder = cacheFolder(`otelcol-${versions.collector}`)
const run = promisify(execFile)
/** Without anything in Go's caches it compiles for minutes. */
const buildTimeoutMs = 1_200_000

/** Why a test can't have a collector; null: it can. Under CI it is an error instead, so that no run passes without. */
export async function collectorMissing(): Promise<string | null> {
  if (await exists(binaryFolder)) return null
  const because = await run('go', ['version']).then(() => null, () => 'there is no Go to build the OpenTelemetry Collector with (go version fails)')
  if (because !== null && process.env['CI'] === 'true') throw new Error(`under CI no test that needs a collector is skipped: ${because}`)
  return because
}

/** Its file. */
export async function collectorBinary(): Promise<string> {
  await madeOnce(binaryFolder, async (work) => {
    await build(work)
    await mkdir(join(work, 'done'))
    await rename(join(work, 'dist', 'otelcol'), join(work, 'done', 'otelcol'))
    return join(work, 'done')
  })
  return join(binaryFolder, 'otelcol')
}

/**
 * The builder writes the sources and then tidies their modules, which also asks for modules of their tests: where a module
 * proxy doesn't have those it gives up, with all that is needed in place.
 */
async function build(work: string): Promise<void> {
  await writeFile(join(work, 'manifest.yaml'), manifest)
  await go(['install', `go.opentelemetry.io/collector/cmd/builder@v${versions.collector}`], work, { GOBIN: work })
  const sources = join(work, 'dist')
  try {
    await tell('its builder', join(work, 'builder'), ['--config=manifest.yaml', '--skip-compilation'], work)
  } catch (error) {
    if (!(await exists(join(sources, 'go.mod')))) throw error
  }
  await go(['build', '-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', 'otelcol', '.'], sources)
}

function go(args: readonly string[], folder: string, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  return tell('Go', 'go', args, folder, environment)
}

async function tell(who: string, program: string, args: readonly string[], cwd: string, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  try {
    await run(program, args, { cwd, env: { ...process.env, ...environment }, maxBuffer: 16 * 1_048_576, timeout: buildTimeoutMs })
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string }
    throw new Error(`${who} can't build the OpenTelemetry Collector ${versions.collector}: ${stderr.trim().slice(-2_000) || String(error)}`, { cause: error })
  }
}

const manifest = `dist: { name: otelcol, module: example.invalid/otelcol, version: ${versions.collector}, output_path: ./dist }
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v${versions.collector}
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v${versions.collector}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter v${versions.collector}
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider v${versions.stable}
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider v${versions.stable}
`
