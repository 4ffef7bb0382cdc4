import type { ISocketFactory, KafkaConfig } from 'kafkajs'
import { isLoopback } from '../../../core/endpoint.ts'
import { Fault } from '../../../core/errors.ts'
import { ClientSocket, type TlsMaterial } from '../../../core/system/client-socket.ts'
import { passwordExchanges } from './kafkajs-internals.ts'
import { readSecretFile, readSecretLine, type SecretDisk } from './secret-files.ts'
import { tokenLogin } from './token-login.ts'

/**
 * How brokers are reached: by TLS or not, and as whom. Certificates are read at each new connection, passwords and tokens
 * at each login, so that replaced files need no restart and no secret is kept.
 */

export interface KafkaSecurity {
  readonly disk: SecretDisk
  /** Null: no TLS. */
  readonly tls: TlsPaths | null
  /** Null: no login but, with TLS, the client certificate. */
  readonly login: Login | null
}

export interface TlsPaths {
  /** Null: the authorities that Node trusts. */
  readonly ca: string | null
  readonly identity: { readonly cert: string; readonly key: string } | null
}

export type Login =
  | { readonly mechanism: keyof typeof passwordExchanges; readonly user: string; readonly passwordFile: string }
  | { readonly mechanism: 'oauthbearer'; readonly tokenFile: string }

/** `[2001:db8::1]:9092` as kafkajs can split it, which knows no brackets; `socketFactory` turns it back. */
export function splittable(broker: string): string {
  const portAt = broker.lastIndexOf(':')
  return broker.slice(0, portAt).replaceAll(':', '_') + broker.slice(portAt)
}

function hostOf(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1).replaceAll('_', ':') : host
}

export function socketFactory(security: KafkaSecurity | null): ISocketFactory {
  return ({ host: written, onConnect, port }) => {
    const host = hostOf(written)
    const socket = new ClientSocket({ host, onConnect, port, prepare: () => prepare(security, host) })
    // All that kafkajs does with it is what it offers.
    return socket as unknown as ReturnType<ISocketFactory>
  }
}

async function prepare(security: KafkaSecurity | null, host: string): Promise<TlsMaterial | null> {
  if (security === null) return null
  const { disk, login, tls } = security
  if (tls === null) {
    if (login !== null && revealsSecret(login) && !isLoopbackHost(host)) throw exposed(login, host)
    return null
  }
  const { ca, identity } = tls
  return {
    ca: ca === null ? null : await readSecretFile(disk, { path: ca, setting: 'kafka_ca' }),
    identity: identity === null ? null : {
      cert: await readSecretFile(disk, { path: identity.cert, setting: 'kafka_cert' }),
      key: await readSecretFile(disk, { path: identity.key, setting: 'kafka_key' }),
    },
  }
}

/** SCRAM proves that both know the password and sends it to nobody. */
function revealsSecret({ mechanism }: Login): boolean {
  return mechanism === 'plain' || mechanism === 'oauthbearer'
}

function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopback(host)
}

/** The settings name loopback brokers only, and those named another one as the address of the cluster. */
function exposed({ mechanism }: Login, host: string): Fault {
  return new Fault(
    'kafka_login_exposed', 'settings',
    `the brokers say that they are at ${host}, and kafka_sasl ${mechanism} without TLS would send the secret there for everybody on ` +
      'the way to read; set kafka_tls to true, use scram-sha-512, or correct advertised.listeners of the brokers.',
  )
}

/** What kafkajs is told of the login; undefined: there is none. */
export function saslOptions(security: KafkaSecurity | null): KafkaConfig['sasl'] | undefined {
  if (security === null || security.login === null) return undefined
  const { disk, login } = security
  if (login.mechanism === 'oauthbearer') return tokenLogin(disk, { path: login.tokenFile, setting: 'kafka_token_file' })
  const { mechanism, passwordFile, user } = login
  return {
    mechanism,
    authenticationProvider: (parts) => ({
      authenticate: async () => {
        const password = await readSecretLine(disk, { path: passwordFile, setting: 'kafka_password_file' })
        await passwordExchanges[mechanism]({ password, username: user })(parts).authenticate()
      },
    }),
  }
}
