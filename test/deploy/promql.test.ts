import { describe, expect, test } from 'vitest'
import { readPromql } from './promql.ts'

/** What is read out of an expression, on expressions that are easy to read wrongly. */

const asked = (expression: string) => readPromql(expression).selectors.map(({ isRange, metric, within }) => [metric, isRange, within])

describe('selectors', () => {
  test.each([
    ['up', [['up', false, null]]],
    ['up == 0 # or down == 1', [['up', false, null]]],
    ['rate(a_total[5m])', [['a_total', true, 'rate']]],
    ['sum by (le) (rate(a_bucket{x="b(c"}[5m]))', [['a_bucket', true, 'rate']]],
    ['sum(up) by (job)', [['up', false, 'sum']]],
    ['sum by (job) (up)', [['up', false, 'sum']]],
    ['(-deriv(free[6h]) > 0) / 86400', [['free', true, 'deriv']]],
    ['a * on (x) group_left () b', [['a', false, null], ['b', false, null]]],
    ['a > bool 0 and b offset 2m unless (c or d)', [['a', false, null], ['b', false, null], ['c', false, null], ['d', false, null]]],
    ['level:metric:rate5m{a=~"b|c", d!=\'}\'} - 1e3', [['level:metric:rate5m', false, null]]],
    ['histogram_quantile(0.99, x) < +Inf', [['x', false, 'histogram_quantile']]],
    ['time() - 21 * 86400', []],
  ])('%s', (expression, selectors) => {
    expect(asked(expression)).toEqual(selectors)
  })

  test('with their matchers', () => {
    expect(readPromql(`a{b="c", d=~'e|f', g!~"h,i"}`).selectors[0]?.matchers).toEqual([
      { label: 'b', operator: '=', value: 'c' },
      { label: 'd', operator: '=~', value: 'e|f' },
      { label: 'g', operator: '!~', value: 'h,i' },
    ])
  })

  test('never without a metric', () => {
    expect(() => readPromql('{job="waybill"}')).toThrow('a selector without a metric')
  })
})

test('labels that are grouped or matched by', () => {
  expect(readPromql('sum by (a, b) (x) / ignoring (c) group_left (d) sum(y) without (e) + on () z').labels).toEqual(['a', 'b', 'c', 'd', 'e'])
})
