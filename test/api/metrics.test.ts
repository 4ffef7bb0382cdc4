import { expect, test } from 'vitest'
import { harness } from './harness.ts'

const contentType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

test('the metrics, byte for byte, in the format that was asked for; who reads them is not on record', async () => {
  const asked: (string | undefined)[] = []
  const body = '# TYPE things counter\nthings_total{kind="a\\"b"} 3\n# EOF\n'
  await using api = await harness({
    metrics: async (accept) => {
      asked.push(accept)
      return { body: Buffer.from(body), contentType }
    },
  })
  const before = (await api.records('operations')).length
  expect(await api.get('/metrics', { accept: 'application/openmetrics-text' })).toMatchObject({ body, headers: { 'content-type': contentType }, status: 200 })
  expect(await api.call('HEAD' as 'GET', '/metrics')).toMatchObject({ body: '', status: 200 })
  expect(asked).toEqual(['application/openmetrics-text', undefined])
  expect(await api.get('/metrics', { host: 'elsewhere.example' })).toMatchObject({ status: 421 })
  expect(await api.post('/metrics', {})).toMatchObject({ status: 405 })
  await api.app.close()
  const granted = (await api.records('operations')).slice(before).filter(({ type }) => type === 'dev.waybill.access.granted.v1')
  expect(granted.map(({ data }) => data['method'])).toEqual(['POST'])
})

test('are unavailable when they can not be collected, which ends nothing', async () => {
  await using api = await harness({ metrics: async () => null })
  expect(await api.get('/metrics')).toMatchObject({ json: { code: 'metrics_unavailable' }, status: 503 })
  expect(api.violations).toEqual([])
})
