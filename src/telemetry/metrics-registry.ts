import { Counter, Gauge, Histogram, Registry, type MetricObjectWithValues, type MetricValue, type OpenMetricsContentType } from 'prom-client'
import { instruments, prometheusName, type Instrument, type InstrumentName } from './instruments.ts'

/** The table of instruments as metrics of prom-client, in a registry of their own: the one place where their numbers are shown. */

export type Labels = Readonly<Record<string, string>>
/** Kept by whoever shows it for as long as the series lives: texts are made once for each object of labels. */
export interface Series {
  readonly labels: Labels
  readonly value: number
}
export type Observe = (value: number) => void

type Named<Kind extends Instrument['kind']> = {
  [Name in InstrumentName]: (typeof instruments)[Name]['kind'] extends Kind ? Name : never
}[InstrumentName]
type ShownName = Named<'counter' | 'gauge'>
export type GaugeName = Named<'gauge'>
export type HistogramName = Named<'histogram'>

export interface RegistryOptions {
  /** prom-client asks one metric after the other without a pause: what the first one's refreshes, all others show as well. */
  readonly first: () => void
  /** Of gauges whose numbers have to be waited for. */
  readonly later: Partial<Record<GaugeName, () => Promise<void>>>
  /** Histograms that may point from a bucket to a trace. */
  readonly withExemplars: readonly HistogramName[]
}

export type MetricsRegister = Registry<OpenMetricsContentType>

export class MetricsRegistry {
  readonly register: MetricsRegister = newRegister()
  readonly #shown = new Map<InstrumentName, ShownCounter | ShownGauge>()
  readonly #histograms = new Map<InstrumentName, Histogram>()

  constructor(options: RegistryOptions) {
    const later: Partial<Record<InstrumentName, () => Promise<void>>> = options.later
    for (const [index, name] of (Object.keys(instruments) as InstrumentName[]).entries()) {
      const { buckets, description: help, kind, labels: labelNames }: Instrument = instruments[name]
      const collect = index === 0 ? options.first : later[name]
      const shared = { name: prometheusName(name), help, labelNames, registers: [this.register], ...(collect === undefined ? {} : { collect }) }
      if (kind === 'histogram') {
        const enableExemplars = (options.withExemplars as readonly InstrumentName[]).includes(name)
        this.#histograms.set(name, new Histogram({ ...shared, buckets: [...(buckets ?? [])], enableExemplars }))
      } else this.#shown.set(name, kind === 'counter' ? new ShownCounter(shared) : new ShownGauge(shared, name in later))
    }
  }

  /** All series of a counter or gauge, in place of those before. */
  show(name: ShownName, series: readonly Series[]): void {
    this.#shown.get(name)!.series = series
  }

  /** One series of a histogram, there from now on. */
  observing(name: HistogramName, labels: Labels): Observe {
    const histogram = this.histogram(name)
    histogram.zero(labels)
    const series = histogram.labels(labels)
    return (value) => series.observe(value)
  }

  histogram(name: HistogramName): Histogram {
    return this.#histograms.get(name)!
  }
}

/** Only one for OpenMetrics lets histograms keep exemplars. Its own text is not used: see exposition.ts. */
function newRegister(): MetricsRegister {
  const register = new Registry<OpenMetricsContentType>()
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return register
}

type Got = Promise<MetricObjectWithValues<MetricValue<string>>>

/** Its numbers are kept elsewhere: to set each of them anew would hash its labels, ten times what it costs to show them. */
class ShownCounter extends Counter {
  series: readonly Series[] = []

  override get(): Got {
    // Refreshes before it returns; what the others show by then belongs to this.
    const about = super.get()
    return withSeries(about, this.series)
  }
}

class ShownGauge extends Gauge {
  series: readonly Series[] = []
  readonly #isLate: boolean

  constructor(options: ConstructorParameters<typeof Gauge>[0], isLate: boolean) {
    super(options)
    this.#isLate = isLate
  }

  override get(): Got {
    const about = super.get()
    return this.#isLate ? about.then(() => withSeries(about, this.series)) : withSeries(about, this.series)
  }
}

async function withSeries(about: Got, series: readonly Series[]): Got {
  return { ...(await about), values: series as Series[] }
}
