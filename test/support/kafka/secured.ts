import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeAuthority, type Authority } from '../authority.ts'
import { relayTo, type Relay } from '../relay.ts'
import { startBroker, type OwnBroker } from './own-broker.ts'
import { freePort } from './ports.ts'

/** A real broker that wants client certificates on one listener and logins on two others, and keeps to access rules. */

export interface SecuredBroker extends AsyncDisposable {
  readonly authority: Authority
  /** For files of a test; gone with the broker. */
  readonly folder: string
  /** TLS with a client certificate, through a relay. */
  readonly byCertificate: string
  readonly relay: Relay
  /** TLS with a login. */
  readonly byLogin: string
  /** A login without TLS: PLAIN alone. */
  readonly byLoginInTheClear: string
  /** Neither; whoever comes here may do everything. */
  readonly byNobody: string
  readonly broker: OwnBroker
}

/** User and password of each kind of login. */
export const plainLogin = { password: 'plain-secret-5f1', user: 'plain' } as const
export const scramLogin = { password: 'scram-secret-9c2', user: 'scram' } as const

export async function startSecuredBroker(): Promise<SecuredBroker> {
  await using starting = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'waybill-secured-'))
  starting.defer(() => rm(folder, { force: true, recursive: true }))
  const authority = makeAuthority('brokers and clients')
  const { cert, key } = authority.issue('broker', 'IP:127.0.0.1,DNS:localhost')
  const [keystore, truststore] = [join(folder, 'broker.pem'), join(folder, 'ca.pem')]
  await writeFile(keystore, Buffer.concat([key, cert]))
  await writeFile(truststore, authority.cert)
  const [ssl, saslSsl, saslPlaintext] = [await freePort(), await freePort(), await freePort()]
  const relay = starting.use(await relayTo(`127.0.0.1:${ssl}`))
  const broker = starting.use(await startBroker({
    format: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${scramLogin.user},password=${scramLogin.password}]`]),
    listeners: [{ advertised: relay.address, port: ssl, protocol: 'SSL' }, { port: saslSsl, protocol: 'SASL_SSL' }, { port: saslPlaintext, protocol: 'SASL_PLAINTEXT' }],
    properties: { ...securityProperties, 'ssl.keystore.location': keystore, 'ssl.truststore.location': truststore },
  }))
  const started = starting.move()
  return {
    authority, broker, folder, relay,
    byCertificate: relay.address,
    byLogin: `127.0.0.1:${saslSsl}`,
    byLoginInTheClear: `127.0.0.1:${saslPlaintext}`,
    byNobody: broker.address,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const modules = 'org.apache.kafka.common.security'
const plainModule = `${modules}.plain.PlainLoginModule required user_${plainLogin.user}="${plainLogin.password}";`
const securityProperties = {
  // What has no rules is everybody's.
  'allow.everyone.if.no.acl.found': 'true',
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'listener.name.sasl_plaintext.plain.sasl.jaas.config': plainModule,
  'listener.name.sasl_plaintext.sasl.enabled.mechanisms': 'PLAIN',
  'listener.name.sasl_ssl.oauthbearer.sasl.jaas.config': `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  'listener.name.sasl_ssl.oauthbearer.sasl.login.callback.handler.class': `${modules}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler`,
  'listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class': `${modules}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`,
  'listener.name.sasl_ssl.plain.sasl.jaas.config': plainModule,
  'listener.name.sasl_ssl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  'listener.name.ssl.ssl.client.auth': 'required',
  'ssl.keystore.type': 'PEM',
  'ssl.truststore.type': 'PEM',
  'super.users': 'User:ANONYMOUS',
} as const

/** Signed by nobody, which the broker's validator for tests accepts. */
export function unsignedToken(nowMs: number, subject = 'token'): string {
  const issuedAt = Math.floor(nowMs / 1_000)
  return `${encoded({ alg: 'none' })}.${encoded({ exp: issuedAt + 3_600, iat: issuedAt, sub: subject })}.`
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
