import { describe, expect, test } from 'vitest'
import {
  readSettings, settingFlag, settingKeys, settingName, settingTable, settingVariable,
} from '../../src/config/settings.ts'
import { Fault } from '../../src/core/errors.ts'
import { settingsPage } from '../documents/settings-page.ts'

function problemsOf(read: () => unknown): string[] {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(Fault)
    expect(error).toMatchObject({ code: 'settings_invalid', source: 'settings' })
    return (error as Fault).message.split('\n')
  }
  throw new Error('the settings were taken')
}

describe('settings', () => {
  test('defaults', () => {
    expect(readSettings({}, {})).toEqual({
      api: { ip: '127.0.0.1', port: 4000 },
      ops: null,
      listen: { ip: '::', port: 8443 },
      data: './data',
      config: null,
      cluster: null,
      node: null,
      autoDefaultRoute: true,
      connectionsMax: null,
      peeksMax: 4_096,
      helloBytesMax: 65_536,
      peekTimeoutMs: 5_000,
      tlsAlerts: true,
      dialTimeoutMs: 5_000,
      appendTimeoutMs: 5_000,
      idleTimeoutMs: 600_000,
      halfCloseTimeoutMs: 60_000,
      drainTimeoutMs: 20_000,
      progressIntervalMs: 60_000,
      addressCacheMs: 10_000,
      reserveBytes: 16_777_216,
      spaceLowBytes: 268_435_456,
      kafka: null,
      topicPrefix: 'waybill',
      durableWhen: 'kafka',
      backlogRecordsMax: 1_000_000,
      backlogMs: 600_000,
      takeOver: false,
      kafkaTls: false,
      kafkaCa: null,
      kafkaCert: null,
      kafkaKey: null,
      kafkaSasl: null,
      kafkaUser: null,
      kafkaPasswordFile: null,
      kafkaTokenFile: null,
      kafkaReplicas: null,
      kafkaPartitions: 12,
      kafkaRetentionDays: 395,
      kafkaLocalRetentionDays: 1,
      kafkaCompression: 'none',
      log: 'json',
      logLevel: 'info',
    })
  })

  test('a flag beats the environment, which beats the default; an empty variable is not set', () => {
    const environment = { WAYBILL_DIAL_TIMEOUT_MS: '100', WAYBILL_PEEK_TIMEOUT_MS: '200', WAYBILL_NODE: '', PATH: '/bin' }
    const settings = readSettings({ dialTimeoutMs: '300' }, environment)
    expect(settings).toMatchObject({ dialTimeoutMs: 300, peekTimeoutMs: 200, appendTimeoutMs: 5_000, node: null })
  })

  test.each(['0.0.0.0:4000', '[::]:4000', '10.1.2.3:4000', '[2001:db8::1]:4000'])('the API on %s is refused', (api) => {
    const [problem] = problemsOf(() => readSettings({ api }, {}))
    expect(problem).toContain('Until authentication exists the API binds loopback only')
  })
  test.each(['127.0.0.1:0', '127.9.9.9:4000', '[::1]:4000', 'localhost:4000'])('the API on %s is fine', (api) => {
    expect(readSettings({ api }, {}).api.ip).toMatch(/^127\.|^::1$/)
  })
  test('API, probes and the shared listener need ports of their own', () => {
    expect(problemsOf(() => readSettings({ api: '127.0.0.1:8443' }, {}))).toEqual([expect.stringContaining('same port')])
    expect(problemsOf(() => readSettings({ ops: '0.0.0.0:4000' }, {}))).toEqual([expect.stringContaining('--ops: 0.0.0.0:4000 and api: 127.0.0.1:4000')])
    expect(problemsOf(() => readSettings({ ops: '10.0.0.1:8443' }, {}))).toEqual([expect.stringContaining('and listen: [::]:8443')])
    expect(readSettings({ ops: '0.0.0.0:9464' }, {}).ops).toEqual({ ip: '0.0.0.0', port: 9_464 })
  })

  test('all problems at once, each with its place', () => {
    const environment = { WAYBILL_LISTEN: '8443', WAYBILL_DIAL_TIMEOUT: '5', WAYBILL_ZZZ: '1', WAYBILL_LOG_LEVEL: 'loud' }
    const flags = { api: 'nonsense', peekTimeoutMs: '-1', autoDefaultRoute: 'yes', node: 'a/b', colour: 'red' }
    const problems = problemsOf(() => readSettings(flags, environment))
    expect(problems).toHaveLength(9)
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^--api: "nonsense" is not an address; write/),
        expect.stringMatching(/^WAYBILL_LISTEN: "8443" is not an address; write/),
        expect.stringMatching(/^--peek-timeout-ms: "-1" is not a whole number from 1 to/),
        expect.stringMatching(/^--auto-default-route: "yes" is neither true nor false/),
        expect.stringMatching(/^--node: may hold letters/),
        expect.stringMatching(/^WAYBILL_LOG_LEVEL: "loud" is none of debug, info, warn, error/),
        expect.stringMatching(/^WAYBILL_DIAL_TIMEOUT: .* did you mean WAYBILL_DIAL_TIMEOUT_MS\?/),
        expect.stringMatching(/^WAYBILL_ZZZ: there is no such setting/),
        expect.stringMatching(/^"colour" is not a setting/),
      ]),
    )
  })

  test('what Kubernetes sets beside a service named waybill is not taken for a setting', () => {
    const environment = { WAYBILL_SERVICE_HOST: '10.0.0.1', WAYBILL_PORT: 'tcp://10.0.0.1:8443', WAYBILL_PORT_8443_TCP_PROTO: 'tcp' }
    expect(readSettings({}, environment)).toEqual(readSettings({}, {}))
  })

  test.each(settingKeys)('%s: its default is one it accepts, and it is described', (key) => {
    const { default: byDefault, description, schema, unit } = settingTable[key]
    if (byDefault !== null) expect(schema.safeParse(byDefault).success).toBe(true)
    expect(description).toMatch(/^[A-Z].*\.$/)
    // The unit stands last in the name (STYLE.md 11), where the name has one.
    if (unit === 'ms' || unit === 'bytes') expect(settingName(key)).toMatch(new RegExp(`_${unit}(_max)?$`))
    expect(settingVariable(key)).toBe(`WAYBILL_${settingName(key).toUpperCase()}`)
    expect(settingFlag(key)).toMatch(/^--[a-z]+(-[a-z]+)*$/)
  })
})

test('the document has a row for every setting and no other', () => {
  const rows = [...settingsPage().matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name)
  expect(rows).toEqual(settingKeys.map(settingName))
})
