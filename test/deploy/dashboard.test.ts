import { describe, expect, test } from 'vitest'
import { instruments, prometheusName, type InstrumentName } from '../../src/telemetry/instruments.ts'
import { dashboard, graphs, panels, queriesOf, variablesIn, type Place } from './dashboard.ts'
import { knownMetrics, problemsOf } from './known-metrics.ts'
import { readPromql } from './promql.ts'

/** The dashboard asks only for what a node exposes, shows every metric, and says of each graph what it is. */

const known = knownMetrics()
const queries = queriesOf()
const columns = 24

describe('every query', () => {
  test.each(queries.map(({ expression, panel }) => [panel, expression] as const))('of "%s" asks for what there is: %s', (_panel, expression) => {
    expect(problemsOf(expression, known)).toEqual([])
  })

  test('is of the nodes that are selected', () => {
    const selectors = queries.flatMap(({ expression }) => readPromql(expression).selectors)
    const others = selectors.filter(({ matchers }) => !matchers.some(({ label, value }) => label === 'instance' && value === '$instance'))
    expect(others).toEqual([])
  })

  test('takes rates over what Grafana draws, and the slope of the disk over hours', () => {
    const ranges = queries.flatMap(({ asWritten }) => [...asWritten.matchAll(/\[(.+?)\]/g)].map(([, range]) => range))
    expect(new Set(ranges)).toEqual(new Set(['$__rate_interval', '6h']))
  })
})

test('every metric of a node is shown', () => {
  const asked = new Set(queries.flatMap(({ expression }) => readPromql(expression).selectors.map(({ metric }) => known.get(metric)?.instrument)))
  const missing = (Object.keys(instruments) as InstrumentName[]).filter((name) => !asked.has(name))
  expect(missing.map(prometheusName)).toEqual([])
})

test('the variables are those that are used, and ask for what there is', () => {
  const { list } = dashboard.templating
  const used = new Set([...variablesIn(JSON.stringify(dashboard.panels)), ...variablesIn(JSON.stringify(list))].filter((name) => !name.startsWith('__')))
  expect([...used].toSorted()).toEqual(list.map(({ name }) => name).toSorted())
  for (const { definition, name, query, type } of list) {
    if (type === 'datasource') continue
    expect(query).toEqual(expect.objectContaining({ query: definition }))
    const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(definition!)!
    expect(label).toBe(name)
    expect(problemsOf(selector!, known)).toEqual([])
    expect(['instance', ...(known.get(readPromql(selector!).selectors[0]!.metric)?.labels ?? [])]).toContain(label)
  }
})

/** An import replaces the input; where a file is provisioned, nobody does, and the variable of the same name takes its place. */
test('the data source is asked for at an import, and a variable where the file is provisioned', () => {
  expect(dashboard.__inputs.map(({ name, pluginId, type }) => [name, type, pluginId])).toEqual([['DS_PROMETHEUS', 'datasource', 'prometheus']])
  expect(dashboard.templating.list[0]).toMatchObject({ name: 'DS_PROMETHEUS', query: 'prometheus', type: 'datasource' })
  const sources = graphs.flatMap(({ datasource, targets = [] }) => [datasource, ...targets.map((target) => target.datasource)])
  expect(new Set(sources.map((source) => JSON.stringify(source)))).toEqual(new Set(['{"type":"prometheus","uid":"${DS_PROMETHEUS}"}']))
})

describe('every graph', () => {
  test.each(graphs.map((panel) => [panel.title, panel] as const))('"%s" says what it is', (_title, { description, fieldConfig, targets = [], type }) => {
    expect(description).toMatch(/^[A-Z].{15,}\.$/)
    expect(fieldConfig?.defaults.unit).toMatch(/^[a-zA-Z]+$/)
    expect(targets).not.toHaveLength(0)
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length)
    for (const { expr, legendFormat } of targets) {
      expect(legendFormat).toMatch(/\S/)
      const { labels } = readPromql(expr)
      if (type !== 'table') for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(labels).toContain(label)
    }
    expect(dashboard.__requires).toContainEqual(expect.objectContaining({ id: type, type: 'panel' }))
  })

  test('has another number and another title', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    expect(new Set(graphs.map(({ title }) => title)).size).toBe(graphs.length)
  })

  test('has its own place', () => {
    const places = panels.map(({ gridPos, title }) => [title, gridPos] as const)
    for (const [title, place] of places) expect([title, place.x >= 0 && place.w > 0 && place.h > 0 && place.x + place.w <= columns]).toEqual([title, true])
    const overlaps = places.flatMap(([title, place], index) =>
      places.slice(index + 1).filter(([, other]) => overlap(place, other)).map(([other]) => `${title} and ${other}`),
    )
    expect(overlaps).toEqual([])
  })
})

test('the rows', () => {
  expect(panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
    'Traffic', 'Latency', 'Backends and balance', 'Audit log', 'Kafka', 'Process',
  ])
})

function overlap(one: Place, other: Place): boolean {
  return one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h
}
