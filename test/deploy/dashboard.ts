import { readFileSync } from 'node:fs'

/** The dashboard of deploy/grafana, as far as tests look at it. */

export interface Place {
  readonly h: number
  readonly w: number
  readonly x: number
  readonly y: number
}
export interface Target {
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly expr: string
  readonly legendFormat: string
  readonly refId: string
}
export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly gridPos: Place
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly panels?: readonly Panel[]
  readonly targets?: readonly Target[]
}
export interface Variable {
  readonly name: string
  readonly type: string
  readonly definition?: string
  readonly query: string | { readonly query: string }
}
export interface Dashboard {
  readonly __inputs: readonly { readonly name: string; readonly pluginId: string; readonly type: string }[]
  readonly __requires: readonly { readonly id: string; readonly type: string }[]
  readonly panels: readonly Panel[]
  readonly schemaVersion: number
  readonly templating: { readonly list: readonly Variable[] }
  readonly uid: string
}

export const dashboard = JSON.parse(readFileSync('deploy/grafana/waybill.json', 'utf8')) as Dashboard
/** With those of rows that are closed. */
export const panels: readonly Panel[] = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
export const graphs = panels.filter(({ type }) => type !== 'row')

/** Every query of a panel, with something that Prometheus can parse in place of what Grafana puts there. */
export function queriesOf(): { readonly panel: string; readonly expression: string; readonly asWritten: string }[] {
  return graphs.flatMap(({ targets = [], title }) =>
    targets.map(({ expr }) => ({ asWritten: expr, expression: expr.replaceAll('$__rate_interval', '5m'), panel: title })),
  )
}

export function variablesIn(text: string): string[] {
  return [...text.matchAll(/\$\{?(\w+)\}?/g)].map(([, name]) => name!)
}
