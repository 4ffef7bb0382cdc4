import { readFileSync } from 'node:fs'
import { instruments, labelTable, otelName, prometheusName, type Instrument, type InstrumentName } from '../../src/telemetry/instruments.ts'

/** docs/telemetry.md with its tables of metrics and labels made anew from the table of instruments; the rest is as it is. */

const path = 'docs/telemetry.md'
const begin = '<!-- generated from src/telemetry/instruments.ts by `npm run docs`; a test holds it -->'
const end = '<!-- end of what is generated -->'

export function telemetryPage(): string {
  const page = readFileSync(path, 'utf8')
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${path} has lost the marks around its tables: ${begin} and ${end}`)
  return `${page.slice(0, from)}${begin}\n\n${tables()}\n\n${page.slice(to)}`
}

function tables(): string {
  const table: Readonly<Record<InstrumentName, Instrument>> = instruments
  const names = Object.keys(instruments) as InstrumentName[]
  return [
    '| Prometheus; OpenTelemetry | kind | unit | labels | what it says | where it comes from |',
    '|---|---|---|---|---|---|',
    ...names.map((name) => row(name, table[name])),
    '',
    'Labels:',
    '',
    '| label | meaning | values |',
    '|---|---|---|',
    ...Object.entries(labelTable).map(([label, { description, values }]) => `| \`${label}\` | ${description} | ${(values ?? []).map(code).join(', ')} |`),
    '',
    'Buckets of the histograms, upper bounds in their unit:',
    '',
    '| histogram | buckets |',
    '|---|---|',
    ...names.flatMap((name) => (table[name].buckets === undefined ? [] : [`| \`${prometheusName(name)}\` | ${table[name].buckets.join(', ')} |`])),
  ].join('\n')
}

function row(name: InstrumentName, { description, kafkaOnly, kind, labels, source, unit }: Instrument): string {
  const names = `\`${prometheusName(name)}\`; \`${otelName(name)}\``
  const says = kafkaOnly === true ? `${description} Only of nodes on Kafka.` : description
  return `| ${[names, kind, `\`${unit}\``, labels.map(code).join(', '), says, source].join(' | ')} |`
}

function code(word: string): string {
  return `\`${word}\``
}
