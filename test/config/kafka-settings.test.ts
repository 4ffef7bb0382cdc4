import { describe, expect, test } from 'vitest'
import { NodeStarted } from '../../events/node.ts'
import { isWritten, readDataFolder, readSettings, settingTexts, type FlagTexts } from '../../src/config/settings.ts'
import type { Fault } from '../../src/core/errors.ts'

const kafka = 'kafka-1:9092'

function problemsOf(flags: FlagTexts, environment: Readonly<Record<string, string>> = {}): string[] {
  try {
    readSettings(flags, environment)
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'settings_invalid', source: 'settings' })
    return (error as Fault).message.split('\n')
  }
}

describe('brokers', () => {
  test.each([
    ['kafka-1:9092', ['kafka-1:9092']],
    [' a.example:9092 , 10.0.0.1:9093,[2001:db8::1]:9092,kafka_3:1', ['a.example:9092', '10.0.0.1:9093', '[2001:db8::1]:9092', 'kafka_3:1']],
  ])('%s', (text, brokers) => {
    expect(readSettings({ kafka: text }, {}).kafka).toEqual(brokers)
  })

  test.each([
    ['kafka-1', 'is not host:port'],
    ['kafka://kafka-1:9092', 'is not host:port'],
    ['a:9092,', '"" is not host:port'],
    ['a:0', 'is not a port'],
    ['a:99999', 'is not a port'],
    ['::1:9092', 'is not host:port'],
    ['user:secret@a:9092', 'is not host:port'],
    ['a:1,b:2,a:1', 'names a:1 twice'],
    [Array.from({ length: 33 }, (_, index) => `h${index}:9092`).join(','), 'more than 32'],
    ['a'.repeat(1_001), 'at most 1000 characters'],
  ])('%s: refused', (text, sentence) => {
    expect(problemsOf({ kafka: text })).toEqual([expect.stringContaining(sentence)])
  })

  test('go on record as they were written, with everything else, in a record that fits', () => {
    const path = `/${'p'.repeat(4_095)}`
    const own = `/${'p'.repeat(999)}`
    const settings = readSettings({
      config: path, data: path, kafka: 'a:1,b:2', kafkaCa: own, kafkaCert: own, kafkaKey: own, kafkaPasswordFile: own, kafkaSasl: 'scram-sha-512',
      kafkaTls: 'true', kafkaUser: 'ü'.repeat(250),
    }, {})
    const texts = settingTexts(settings)
    expect(texts).toContainEqual({ name: 'kafka', value: 'a:1,b:2' })
    expect(NodeStarted.data.shape.settings.safeParse(texts).success).toBe(true)
    expect(Buffer.byteLength(JSON.stringify(texts))).toBeLessThan(20_000)
  })
})

describe('contradictions', () => {
  test.each([
    ['a certificate without its key', { kafkaTls: 'true', kafkaCert: 'c.pem' }, '--kafka-cert: a client certificate needs its key'],
    ['a key without its certificate', { kafkaTls: 'true', kafkaKey: 'k.pem' }, '--kafka-key: a key needs its client certificate'],
    ['an authority without TLS', { kafkaCa: 'ca.pem' }, '--kafka-ca: is for TLS, and kafka_tls is false'],
    ['plain to another machine without TLS', { kafkaPasswordFile: 'p', kafkaSasl: 'plain', kafkaUser: 'u' }, 'would send the password to kafka-1:9092'],
    ['a token to another machine without TLS', { kafkaSasl: 'oauthbearer', kafkaTokenFile: 't' }, 'would send the token to kafka-1:9092'],
    ['a login without its password', { kafkaSasl: 'scram-sha-512', kafkaUser: 'u' }, '--kafka-sasl: scram-sha-512 needs kafka_password_file'],
    ['a login without its user', { kafkaPasswordFile: 'p', kafkaSasl: 'scram-sha-256' }, '--kafka-sasl: scram-sha-256 needs kafka_user'],
    ['a login without its token', { kafkaSasl: 'oauthbearer', kafkaTls: 'true' }, '--kafka-sasl: oauthbearer needs kafka_token_file'],
    ['a user without a login', { kafkaUser: 'u' }, '--kafka-user: is for kafka_sasl plain and scram-*, and kafka_sasl is not set'],
    [
      'a password for a token login', { kafkaPasswordFile: 'p', kafkaSasl: 'oauthbearer', kafkaTls: 'true', kafkaTokenFile: 't' },
      '--kafka-password-file: is for kafka_sasl plain and scram-*, and kafka_sasl is oauthbearer',
    ],
    ['an unknown login', { kafkaSasl: 'gssapi' }, 'is none of plain, scram-sha-256, scram-sha-512, oauthbearer'],
    ['a prefix that is no topic name', { topicPrefix: 'way bill' }, '--topic-prefix: may hold letters'],
    ['a prefix that is too long', { topicPrefix: 'a'.repeat(101) }, 'at most 100 characters'],
    ['an empty user', { kafkaPasswordFile: 'p', kafkaSasl: 'scram-sha-256', kafkaUser: '' }, '--kafka-user: must not be empty'],
    ['a user with a line break', { kafkaPasswordFile: 'p', kafkaSasl: 'scram-sha-256', kafkaUser: 'a\nb' }, 'printable characters only'],
    ['no replicas', { kafkaReplicas: '0' }, 'is not a whole number from 1 to 32767'],
    ['longer here than in Kafka', { kafkaLocalRetentionDays: '31', kafkaRetentionDays: '30' }, '--kafka-local-retention-days: 31 is more than kafka_retention_days (30)'],
  ])('%s', (_what, flags, sentence) => {
    expect(problemsOf({ kafka, ...flags })).toEqual([expect.stringContaining(sentence)])
  })

  test.each([
    ['plain over TLS', { kafkaPasswordFile: 'p', kafkaSasl: 'plain', kafkaTls: 'true', kafkaUser: 'u' }],
    ['plain within this machine', { kafka: '127.0.0.1:9092,[::1]:9092,localhost:9092', kafkaPasswordFile: 'p', kafkaSasl: 'plain', kafkaUser: 'u' }],
    ['SCRAM without TLS', { kafkaPasswordFile: 'p', kafkaSasl: 'scram-sha-256', kafkaUser: 'u' }],
    ['a client certificate', { kafkaCa: 'ca', kafkaCert: 'c', kafkaKey: 'k', kafkaTls: 'true' }],
    ['TLS with the authorities that Node trusts', { kafkaTls: 'true' }],
    ['for ever here', { kafkaLocalRetentionDays: '0', kafkaRetentionDays: '30' }],
    ['for ever in Kafka', { kafkaLocalRetentionDays: '30', kafkaRetentionDays: '0' }],
  ])('not %s', (_what, flags) => {
    expect(problemsOf({ kafka, ...flags })).toEqual([])
  })

  test.each([
    ['by flag', { kafkaUser: 'u' }, {}, '--kafka-user: means nothing without Kafka'],
    ['how long records stay', { kafkaLocalRetentionDays: '7' }, {}, '--kafka-local-retention-days: means nothing without Kafka'],
    ['by variable', {}, { WAYBILL_DURABLE_WHEN: 'local' }, 'WAYBILL_DURABLE_WHEN: means nothing without Kafka'],
    ['even where it says the default', { topicPrefix: 'waybill' }, {}, '--topic-prefix: means nothing without Kafka'],
  ])('what means nothing without Kafka is refused without it: %s', (_what, flags, environment, sentence) => {
    expect(problemsOf(flags, environment as Record<string, string>)).toEqual([expect.stringContaining(sentence)])
  })

  test('in a declaration file, with the place', () => {
    const declared = [{ name: 'kafka_partitions', place: 'w.yaml:3:5', value: '6' }]
    expect(() => readSettings({}, {}, declared)).toThrow('w.yaml:3:5: kafka_partitions: means nothing without Kafka')
    expect(readSettings({ kafka }, {}, declared).kafkaPartitions).toBe(6)
  })
})

test('command lines that need the data folder alone are not told of what only a server can judge', () => {
  const environment = { WAYBILL_DATA: '/d', WAYBILL_KAFKA_PASSWORD_FILE: 'p' }
  expect(readDataFolder({}, environment)).toBe('/d')
  expect(readDataFolder({ data: '/e' }, environment)).toBe('/e')
  expect(() => readDataFolder({}, { WAYBILL_KAFKAA: 'x' })).toThrow('did you mean WAYBILL_KAFKA?')
})

test('whether a setting was written anywhere', () => {
  expect([isWritten('kafka', { kafka }, {}), isWritten('kafka', {}, { WAYBILL_KAFKA: kafka }), isWritten('kafka', {}, {})]).toEqual([true, true, false])
  expect(isWritten('kafka', {}, {}, [{ name: 'kafka', place: 'f:1:1', value: kafka }])).toBe(true)
})
