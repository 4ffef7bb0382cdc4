import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSecretName, withoutSecrets } from '../../../src/telemetry/logs/redaction.ts'

const secret = 's3cr3t+Value/9=='

describe('a text', () => {
  test.each([
    `authorization: Bearer ${secret}`,
    `{"authorization":"Basic ${secret}"}`,
    `Proxy-Authorization: Negotiate ${secret}`,
    `cookie: session=${secret}; path=/`,
    `Set-Cookie=${secret}`,
    `sent Bearer ${secret} to the collector`,
    'sent Basic dXNlcjpzM2NyM3RWYWx1ZTk= to the collector',
    `connect to kafka://user:${secret.replaceAll('/', '')}@broker:9092/topic failed`,
    `https://${secret.replaceAll('/', '')}@collector.example/v1/logs`,
    `password=${secret} user=waybill`,
    `sasl {"username":"waybill","password":"${secret}"}`,
    `the password: '${secret} with spaces' is wrong`,
    `SASL_PASSWD=${secret}`,
    `api_key=${secret}&x=1`,
    `X-Api-Key: ${secret}`,
    `client_secret=${secret}`,
    `access_token=${secret}`,
    `OTEL_EXPORTER_OTLP_HEADERS=x-team=${secret},other=${secret}`,
    `OTEL_EXPORTER_OTLP_TRACES_HEADERS: x-team=${secret}`,
    `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\nafter`,
    `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${secret}`,
  ])('%s', (text) => {
    const clean = withoutSecrets(text)
    expect(clean).not.toMatch(/s3cr3t|dXNlcj/)
    expect(clean).toContain('[redacted]')
  })

  test.each([
    'listening on https://127.0.0.1:4000/api, for pools of payments',
    'Basic constraints of the certificate are missing',
    'kafka_password_file: /run/secrets/kafka',
    'mail to ops@example.com',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
    'the token bucket is empty',
    'https://[2001:db8::1]:4318/v1/logs',
  ])('stays: %s', (text) => {
    expect(withoutSecrets(text)).toBe(text)
  })

  test('of any kind costs linear time', () => {
    // By steps of the engine it would be 10^9 and more, and the test would not end in its time.
    for (const unit of ['a', 'a.', 'a://b', '://', 'token=', 'Bearer ', 'password="', 'OTEL_A', '-----BEGIN ', 'cookie: ']) {
      withoutSecrets(`= ${unit.repeat(200_000 / unit.length)}`)
    }
  })

  test('what stands around a secret stays', () => {
    expect(withoutSecrets(`GET https://me:${'x'.repeat(9)}@host/a?b=c failed`)).toBe('GET https://[redacted]@host/a?b=c failed')
  })

  test('property: a login in a URL never shows, whatever it is made of', () => {
    const part = fc.string({ unit: fc.constantFrom(...'abcXYZ0189-._~!$&()*+,;=:%@'.split('')), minLength: 1, maxLength: 40 })
    fc.assert(fc.property(part, part, (user, password) => {
      expect(withoutSecrets(`to grpc://${user}qq:${password}zz@host:1/ ok`)).toBe('to grpc://[redacted]@host:1/ ok')
    }))
  })
})

test.each([
  'authorization', 'Authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'password', 'kafkaPassword', 'passphrase', 'token',
  'access_token', 'accessToken', 'client_secret', 'apiKey', 'x-api-key', 'private_key', 'OTEL_EXPORTER_OTLP_HEADERS', 'credentials',
])('the name %s is of a secret', (name) => expect(isSecretName(name)).toBe(true))

test.each([
  'kafka_password_file', 'token_count', 'credential_id', 'key', 'partitionkey', 'public_key', 'headers', 'host', 'pool', 'passed', 'kafka_key',
])('the name %s is of none', (name) => expect(isSecretName(name)).toBe(false))
