import { isLoopback } from '../core/endpoint.ts'
import { kafkaSettings } from './kafka-settings.ts'
import type { SettingKey, Settings } from './settings.ts'

/**
 * What settings of Kafka contradict each other, so that a secret never goes where it should not, and no record stays or goes
 * against what was meant.
 */

export interface WrittenSettings {
  readonly settings: Settings
  /** How each was written, such as `--kafka-ca`. */
  readonly places: Readonly<Record<SettingKey, string>>
  /** Those that were written at all. */
  readonly written: ReadonlySet<SettingKey>
}

export function kafkaConflicts(given: WrittenSettings): string[] {
  const { places, settings, written } = given
  if (settings.kafka === null) {
    const lost = (Object.keys(kafkaSettings) as SettingKey[]).filter((key) => written.has(key))
    return lost.map((key) => `${places[key]}: means nothing without Kafka; name its brokers with --kafka, WAYBILL_KAFKA or kafka in the file, or leave this out.`)
  }
  return [...tlsConflicts(given), ...loginConflicts(given), ...exposures(given), ...retentionConflicts(given)]
}

function tlsConflicts({ places, settings }: WrittenSettings): string[] {
  const { kafkaCert, kafkaKey, kafkaTls } = settings
  if (!kafkaTls) {
    const unused = (['kafkaCa', 'kafkaCert', 'kafkaKey'] as const).filter((key) => settings[key] !== null)
    return unused.map((key) => `${places[key]}: is for TLS, and kafka_tls is false; set it to true, or leave this out.`)
  }
  if (kafkaCert !== null && kafkaKey === null) return [`${places.kafkaCert}: a client certificate needs its key; name its file with kafka_key.`]
  if (kafkaCert === null && kafkaKey !== null) return [`${places.kafkaKey}: a key needs its client certificate; name its file with kafka_cert.`]
  return []
}

const usedBy = { kafkaPasswordFile: 'plain and scram-*', kafkaTokenFile: 'oauthbearer', kafkaUser: 'plain and scram-*' } as const
type LoginKey = keyof typeof usedBy
const neededBy: Readonly<Record<NonNullable<Settings['kafkaSasl']> | 'none', readonly LoginKey[]>> = {
  none: [],
  oauthbearer: ['kafkaTokenFile'],
  plain: ['kafkaUser', 'kafkaPasswordFile'],
  'scram-sha-256': ['kafkaUser', 'kafkaPasswordFile'],
  'scram-sha-512': ['kafkaUser', 'kafkaPasswordFile'],
}
const names = { kafkaPasswordFile: 'kafka_password_file', kafkaTokenFile: 'kafka_token_file', kafkaUser: 'kafka_user' } as const

function loginConflicts({ places, settings }: WrittenSettings): string[] {
  const needed = neededBy[settings.kafkaSasl ?? 'none']
  return (Object.keys(usedBy) as LoginKey[]).flatMap((key) => {
    if (needed.includes(key) && settings[key] === null) return [`${places.kafkaSasl}: ${settings.kafkaSasl} needs ${names[key]}.`]
    if (needed.includes(key) || settings[key] === null) return []
    return [`${places[key]}: is for kafka_sasl ${usedBy[key]}, and kafka_sasl is ${settings.kafkaSasl ?? 'not set'}; set it, or leave this out.`]
  })
}

function exposures({ places, settings }: WrittenSettings): string[] {
  const { kafka, kafkaSasl, kafkaTls } = settings
  if (kafkaTls || kafkaSasl === null || !revealsSecret(kafkaSasl)) return []
  const exposed = kafka!.find((broker) => !isLoopbackHost(broker.slice(0, broker.lastIndexOf(':'))))
  if (exposed === undefined) return []
  const secret = kafkaSasl === 'plain' ? 'password' : 'token'
  return [`${places.kafkaSasl}: ${kafkaSasl} without TLS would send the ${secret} to ${exposed} for everybody on the way to read; set kafka_tls to true, or use scram-sha-512.`]
}

/** Only what Kafka still has is removed here. */
function retentionConflicts({ places, settings }: WrittenSettings): string[] {
  const { kafkaLocalRetentionDays: here, kafkaRetentionDays: there } = settings
  if (here === 0 || there === 0 || here <= there) return []
  return [
    `${places.kafkaLocalRetentionDays}: ${here} is more than kafka_retention_days (${there}): Kafka would have no record any more that may be removed here; ` +
      'set it lower, or to 0 if nothing is to be removed here.',
  ]
}

/** SCRAM proves that both know the password and sends it to nobody. */
function revealsSecret(mechanism: NonNullable<Settings['kafkaSasl']>): boolean {
  return mechanism === 'plain' || mechanism === 'oauthbearer'
}

function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopback(host.replace(/^\[|\]$/g, ''))
}
