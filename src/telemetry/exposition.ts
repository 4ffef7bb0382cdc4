import type { Registry, RegistryContentType } from 'prom-client'

/**
 * What was collected, as the text that Prometheus scrapes: its own format (0.0.4) or OpenMetrics (1.0.0). Not by prom-client,
 * which renames its counters for good when it writes OpenMetrics, and collects anew for each format.
 */

/** One metric with all its series; of a histogram each has its own name. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary'
  readonly values: readonly Sample[]
}

export interface Sample {
  readonly labels: Readonly<Record<string, number | string | undefined>>
  readonly value: number
  /** Where it is not that of the metric. */
  readonly metricName?: string | undefined
  readonly exemplar?: Exemplar | null | undefined
}

interface Exemplar {
  readonly labelSet: Readonly<Record<string, string>>
  readonly value: number
  /** Seconds since the epoch. */
  readonly timestamp: number
}

export type TextFormat = 'openmetrics' | 'prometheus'

export const contentTypes: Readonly<Record<TextFormat, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
}

/** Asks the registry, and so refreshes it. The types of prom-client leave out what histograms have beyond a value. */
export async function familiesOf(register: Pick<Registry<RegistryContentType>, 'getMetricsAsJSON'>): Promise<readonly Family[]> {
  return (await register.getMetricsAsJSON()) as unknown as readonly Family[]
}

/** Written in one go; then whoever else has something to do gets a turn. */
const linesPerTurn = 2_000

/** In UTF-8. Metrics without a series are left out. `turn` lets others do something and resolves soon. */
export async function textOf(families: readonly Family[], format: TextFormat, turn: () => Promise<void>): Promise<Buffer> {
  const parts: Buffer[] = []
  let lines: string[] = []
  for (const line of linesOf(families, format)) {
    lines.push(line)
    if (lines.length < linesPerTurn) continue
    parts.push(Buffer.from(`${lines.join('\n')}\n`))
    lines = []
    await turn()
  }
  if (format === 'openmetrics') lines.push('# EOF')
  if (lines.length > 0) parts.push(Buffer.from(`${lines.join('\n')}\n`))
  return Buffer.concat(parts)
}

function* linesOf(families: readonly Family[], format: TextFormat): Iterable<string> {
  for (const family of families) if (family.values.length > 0) yield* linesOfOne(family, format)
}

function* linesOfOne({ help, name, type, values }: Family, format: TextFormat): Iterable<string> {
  const isOpen = format === 'openmetrics'
  const family = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name
  yield `# HELP ${family} ${isOpen ? escapedValue(help) : escapedHelp(help)}`
  yield `# TYPE ${family} ${type}`
  const unit = isOpen ? /_(bytes|seconds)$/.exec(family)?.[1] : undefined
  if (unit !== undefined) yield `# UNIT ${family} ${unit}`
  for (const { exemplar, labels, metricName = name, value } of values) {
    const line = `${metricName}${labelsText(labels)} ${numberText(value)}`
    yield isOpen && exemplar ? `${line} # ${labelsText(exemplar.labelSet)} ${numberText(exemplar.value)} ${exemplar.timestamp}` : line
  }
}

/** By the object of labels, which most series keep for as long as they live. */
const textsOfLabels = new WeakMap<object, string>()

function labelsText(labels: Sample['labels']): string {
  const known = textsOfLabels.get(labels)
  if (known !== undefined) return known
  const pairs: string[] = []
  for (const [name, value] of Object.entries(labels)) if (value !== undefined) pairs.push(`${name}="${escapedValue(String(value))}"`)
  const text = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
  textsOfLabels.set(labels, text)
  return text
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapedHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapedValue(text: string): string {
  return escapedHelp(text).replaceAll('"', '\\"')
}

/** What an Accept header (RFC 9110, section 12.5.1) asks for; the older text for whoever names neither. */
export function formatFor(accept: string | undefined): TextFormat {
  let [open, plain] = [0, 0]
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    const weight = weightOf(parameters)
    if (type === 'application/openmetrics-text') {
      // Only 1.0.0 is written; who names no version takes what there is.
      if (!parameters.some((parameter) => /^version=(?!"?1\.0\.0"?$)/.test(parameter))) open = Math.max(open, weight)
    } else if (type === 'text/plain') plain = Math.max(plain, weight)
  }
  return open > 0 && open >= plain ? 'openmetrics' : 'prometheus'
}

function weightOf(parameters: readonly string[]): number {
  const quality = parameters.find((parameter) => parameter.startsWith('q='))
  const weight = quality === undefined ? 1 : Number(quality.slice(2))
  return weight >= 0 && weight <= 1 ? weight : 0
}
