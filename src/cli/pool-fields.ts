import { Option, type Command } from 'commander'
import { Algorithm } from '../../events/values.ts'
import { parseDuration } from './duration.ts'
import { collected } from './verb.ts'

/** The settings of a pool as options of a verb, and as the API wants them. The API checks them: here is no second set of rules. */

export interface PoolFields {
  readonly algorithm?: string
  readonly businessNeed?: string
  readonly defaultRoute?: boolean
  readonly drainTimeout?: number
  readonly healthCheckInterval?: number
  readonly listen?: string
  readonly owner?: string
  readonly serverName?: readonly string[]
}

export function withPoolFields(command: Command): Command {
  return command
    .addOption(new Option('--algorithm <NAME>', 'how connections are balanced').choices([...Algorithm.options]))
    .option('--server-name <NAME>', 'app.example.com or *.example.com; may be repeated, and replaces all that were there', collected)
    .option('--listen <ADDRESS>', 'an address of its own: [::]:9443, 127.0.0.1:9443, or 9443 for [::]:9443')
    .option('--default-route', 'takes clients with no or an unknown server name')
    .option('--no-default-route', 'does not')
    .option('--health-check-interval <TIME>', 'such as 10s', parseDuration)
    .option('--drain-timeout <TIME>', 'how long connections of a leaving backend may go on, such as 10m', parseDuration)
    .option('--owner <TEXT>', 'who answers for it')
    .option('--business-need <TEXT>', 'why it exists')
}

/** Only what was given. */
export function bodyOfPool(fields: PoolFields): Record<string, unknown> {
  const { algorithm, businessNeed, defaultRoute, drainTimeout, healthCheckInterval, listen, owner, serverName } = fields
  return {
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(businessNeed === undefined ? {} : { business_need: businessNeed }),
    ...(defaultRoute === undefined ? {} : { default_route: defaultRoute }),
    ...(drainTimeout === undefined ? {} : { drain_timeout: drainTimeout }),
    ...(healthCheckInterval === undefined ? {} : { health_check_interval: healthCheckInterval }),
    ...(listen === undefined ? {} : { listen: /^[0-9]{1,5}$/.test(listen) ? Number(listen) : listen }),
    ...(owner === undefined ? {} : { owner }),
    ...(serverName === undefined ? {} : { server_names: serverName }),
  }
}
