import { Option, type Command } from 'commander'
import { Algorithm, MinTlsVersion } from '../../events/values.ts'
import { parseDuration } from './duration.ts'
import { collected } from './verb.ts'

/** The settings of a pool as options of a verb, and as the API wants them. The API checks them: here is no second set of rules. */

export interface PoolFields {
  readonly algorithm?: string
  readonly allowPlaintext?: boolean
  readonly businessNeed?: string
  readonly defaultRoute?: boolean
  readonly drainTimeout?: number
  readonly healthCheckInterval?: number
  readonly listen?: string
  readonly minTlsVersion?: string
  readonly owner?: string
  readonly rejectEch?: boolean
  readonly serverName?: readonly string[]
}

export function withPoolFields(command: Command): Command {
  return command
    .addOption(new Option('--algorithm <NAME>', 'how connections are balanced').choices([...Algorithm.options]))
    .option('--server-name <NAME>', 'app.example.com, *.example.com or **.example.com; may be repeated, and replaces all that were there', collected)
    .option('--listen <ADDRESS>', 'an address of its own: [::]:9443, 127.0.0.1:9443, or 9443 for [::]:9443')
    .option('--default-route', 'takes clients with no or an unknown server name')
    .option('--no-default-route', 'does not')
    .addOption(
      new Option('--min-tls-version <VERSION>', 'the least that clients may offer and its backends may choose').choices([...MinTlsVersion.unwrap().options]),
    )
    .option('--reject-ech', 'refuses clients that offer Encrypted Client Hello')
    .option('--no-reject-ech', 'does not')
    .option('--allow-plaintext', 'a listener may send clients here that speak no TLS; needs --business-need')
    .option('--no-allow-plaintext', 'none may')
    .option('--health-check-interval <TIME>', 'such as 10s', parseDuration)
    .option('--drain-timeout <TIME>', 'how long connections of a leaving backend may go on, such as 10m', parseDuration)
    .option('--owner <TEXT>', 'who answers for it')
    .option('--business-need <TEXT>', 'why it exists')
}

/** Only what was given. */
export function bodyOfPool(fields: PoolFields): Record<string, unknown> {
  const { algorithm, allowPlaintext, businessNeed, defaultRoute, drainTimeout, healthCheckInterval, listen } = fields
  const { minTlsVersion, owner, rejectEch, serverName } = fields
  return {
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(allowPlaintext === undefined ? {} : { allow_plaintext: allowPlaintext }),
    ...(businessNeed === undefined ? {} : { business_need: businessNeed }),
    ...(defaultRoute === undefined ? {} : { default_route: defaultRoute }),
    ...(drainTimeout === undefined ? {} : { drain_timeout: drainTimeout }),
    ...(healthCheckInterval === undefined ? {} : { health_check_interval: healthCheckInterval }),
    ...(listen === undefined ? {} : { listen: /^[0-9]{1,5}$/.test(listen) ? Number(listen) : listen }),
    ...(minTlsVersion === undefined ? {} : { min_tls_version: minTlsVersion }),
    ...(owner === undefined ? {} : { owner }),
    ...(rejectEch === undefined ? {} : { reject_ech: rejectEch }),
    ...(serverName === undefined ? {} : { server_names: serverName }),
  }
}
