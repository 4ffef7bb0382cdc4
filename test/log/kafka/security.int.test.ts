import kafkajs, { type AclEntry } from 'kafkajs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { kafkaCommands } from '../../../src/cli/kafka-commands.ts'
import { messageOf } from '../../../src/core/errors.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemDisk } from '../../../src/core/system/disk.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'
import type { KafkaSecurity } from '../../../src/log/kafka/connection/security.ts'
import { topicNames, type WantedTopics } from '../../../src/log/kafka/topics/topic-rules.ts'
import { prepareTopics } from '../../../src/log/kafka/topics/topics.ts'
import { makeAuthority } from '../../support/authority.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { plainLogin, scramLogin, startSecuredBroker, unsignedToken, type SecuredBroker } from '../../support/kafka/secured.ts'
import { relayTo } from '../../support/relay.ts'

const skipReason = await ownBrokersMissing()

describe.skipIf(skipReason !== null)(`security${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let secured: SecuredBroker
  let one: KafkaSecurity
  const said: string[] = []

  beforeAll(async () => {
    secured = await startSecuredBroker()
    await file('other-ca.pem', makeAuthority('a stranger').cert)
    one = certificate(await identity('one'))
    await file('plain.password', `${plainLogin.password}\n`)
    await file('scram.password', scramLogin.password)
    await file('wrong.password', 'wrong-secret-77\n')
    await file('token', unsignedToken(Date.now()))
    await file('wrong.token', 'abc.def.ghi')
    await file('empty', '\n')
    await file('lines', 'a\nb\n')
    await file('words', 'no token')
  }, 90_000)
  afterAll(async () => {
    await secured?.[Symbol.asyncDispose]()
  })

  function at(name: string): string {
    return join(secured.folder, name)
  }
  async function file(name: string, content: Buffer | string): Promise<string> {
    await writeFile(at(name), content)
    return at(name)
  }
  async function identity(name: string, authority = secured.authority): Promise<{ cert: string; key: string }> {
    const { cert, key } = authority.issue(name, `DNS:${name}`)
    return { cert: await file(`${name}.pem`, cert), key: await file(`${name}.key`, key) }
  }
  function certificate(own: { cert: string; key: string } | null, ca: string | null = at('ca.pem')): KafkaSecurity {
    return { disk: systemDisk, login: null, tls: { ca, identity: own } }
  }
  function login(given: KafkaSecurity['login']): KafkaSecurity {
    return { disk: systemDisk, login: given, tls: { ca: at('ca.pem'), identity: null } }
  }
  function password(mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', user: string, name: string): KafkaSecurity {
    return login({ mechanism, passwordFile: at(name), user })
  }
  function token(name: string): KafkaSecurity {
    return login({ mechanism: 'oauthbearer', tokenFile: at(name) })
  }
  function clientOf(broker: string, security: KafkaSecurity | null): KafkaClient {
    const tell = (sentence: string, fields?: object): void => void said.push(`${sentence} ${JSON.stringify(fields)}`)
    return new KafkaClient({ brokers: [broker], clientId: 'test', logger: { debug: tell, error: tell, info: tell, warn: tell }, security })
  }
  function wantedBy(prefix: string): WantedTopics {
    return { brokers: [], partitions: 2, prefix, replicas: 1, retentionMs: null }
  }
  async function allowed(acl: AclEntry[]): Promise<void> {
    const root = clientOf(secured.byNobody, null).admin()
    await root.connect()
    await root.createAcls({ acl })
    await root.disconnect()
  }
  /** All that a node does: looks at topics or makes them, writes, and reads. */
  async function use(client: KafkaClient, prefix: string): Promise<void> {
    await prepareTopics({ client, clock: systemClock }, wantedBy(prefix))
    const topic = topicNames(prefix).control
    const producer = client.producer()
    const fetcher = client.fetcher(topic)
    try {
      await producer.connect()
      await producer.send({ acks: -1, messages: [{ key: 'control', value: 'x' }], topic })
      await fetcher.connect()
      await fetcher.offsets([0], 'latest')
      const [partition] = await fetcher.fetch(new Map([[0, 0]]), { bytesMax: 1_000, maxWaitMs: 1_000 })
      expect(partition?.messages.length).toBeGreaterThan(0)
    } catch (error) {
      throw client.faultOf(error)
    } finally {
      await producer.disconnect()
      await fetcher.disconnect()
    }
  }

  test('a client certificate', async () => {
    await use(clientOf(secured.byCertificate, one), freshPrefix())
  })
  test('a client certificate, the broker by its name', async () => {
    await use(clientOf(secured.byCertificate.replace('127.0.0.1', 'localhost'), one), freshPrefix())
  })
  test.each([
    ['plain', () => password('plain', plainLogin.user, 'plain.password')],
    ['scram-sha-256', () => password('scram-sha-256', scramLogin.user, 'scram.password')],
    ['scram-sha-512', () => password('scram-sha-512', scramLogin.user, 'scram.password')],
    ['oauthbearer', () => token('token')],
  ])('a login by %s over TLS', async (_mechanism, security) => {
    await use(clientOf(secured.byLogin, security()), freshPrefix())
  })
  test('a login by plain without TLS, within this machine', async () => {
    await use(clientOf(secured.byLoginInTheClear, { ...password('plain', plainLogin.user, 'plain.password'), tls: null }), freshPrefix())
  })

  describe('a fault says what is wrong and what to do', () => {
    const refused = async (broker: string, security: KafkaSecurity | null): Promise<unknown> => {
      const fault = await use(clientOf(broker, security), freshPrefix()).then(() => null, (error: unknown) => error)
      said.push(messageOf(fault))
      return fault
    }
    const like = (code: string, sentence: string): object => ({ code, message: expect.stringContaining(sentence) as string })

    test.each([
      ['no client certificate', () => certificate(null), 'check kafka_cert and kafka_key, and which authorities the broker trusts'],
      ['an authority that the broker\'s certificate is not from', () => certificate(null, at('other-ca.pem')), 'kafka_ca has to hold the authority'],
      ['the authorities that Node trusts', () => certificate(null, null), 'kafka_ca has to hold the authority'],
      ['a certificate that is none', () => certificate({ cert: at('lines'), key: at('one.key') }), 'kafka_cert and kafka_key are PEM'],
    ])('%s', async (_what, security, sentence) => {
      expect(await refused(secured.byCertificate, security())).toMatchObject(like('kafka_tls_failed', sentence))
    })
    test('a client certificate from an authority that the broker does not trust', async () => {
      const stranger = await identity('stranger', makeAuthority('another'))
      expect(await refused(secured.byCertificate, certificate(stranger))).toMatchObject(like('kafka_tls_failed', 'which authorities the broker trusts'))
    })
    test('a key that belongs to another certificate', async () => {
      const two = await identity('two')
      expect(await refused(secured.byCertificate, certificate({ cert: two.cert, key: at('one.key') }))).toMatchObject(like('kafka_tls_failed', 'the key belongs to the certificate'))
    })
    test('a broker whose certificate is for other names', async () => {
      using relay = await relayTo(secured.byCertificate, '127.0.0.2')
      expect(await refused(relay.address, one)).toMatchObject(like('kafka_tls_failed', 'is for other names'))
    })

    test.each([
      ['a file that is not there', () => certificate(null, at('nowhere.pem')), 'kafka_ca: ', 'nowhere.pem can\'t be read: ENOENT'],
      ['no password file', () => password('plain', plainLogin.user, 'nowhere'), 'kafka_password_file: ', 'can\'t be read: ENOENT'],
      ['an empty password file', () => password('scram-sha-256', scramLogin.user, 'empty'), 'kafka_password_file: ', 'is empty'],
      ['a password file with two lines', () => password('plain', plainLogin.user, 'lines'), 'kafka_password_file: ', 'has more than one line'],
      ['no token file', () => token('nowhere'), 'kafka_token_file: ', 'can\'t be read: ENOENT'],
      ['a token that is none', () => token('words'), 'kafka_token_file: ', 'is no bearer token'],
      ['a folder', () => password('plain', plainLogin.user, '.'), 'kafka_password_file: ', 'can\'t be read: EISDIR'],
    ])('%s', async (_what, security, setting, sentence) => {
      const fault = await refused(secured.byLogin, security())
      expect(fault).toMatchObject(like('kafka_file_unreadable', setting))
      expect(fault).toMatchObject(like('kafka_file_unreadable', sentence))
    })

    test.each([
      ['a wrong password', () => password('plain', plainLogin.user, 'wrong.password'), '"plain"'],
      ['a wrong password by SCRAM', () => password('scram-sha-512', scramLogin.user, 'wrong.password'), '"scram"'],
      ['an unknown user', () => password('scram-sha-256', 'nobody', 'scram.password'), '"nobody"'],
      ['a token that the broker does not accept', () => token('wrong.token'), 'by its token: invalid_token'],
    ])('%s', async (_what, security, who) => {
      expect(await refused(secured.byLogin, security())).toMatchObject(like('kafka_login_refused', who))
    })
    test('a login that the broker does not offer', async () => {
      const scram = { ...password('scram-sha-256', scramLogin.user, 'scram.password'), tls: null }
      expect(await refused(secured.byLoginInTheClear, scram)).toMatchObject(like('kafka_login_refused', 'does not support'))
    })

    test('no login where one is asked for', async () => {
      expect(await refused(secured.byLogin, certificate(null))).toMatchObject(like('kafka_unreachable', 'If it asks for a login, set kafka_sasl'))
    })
    test('TLS where there is none', async () => {
      expect(await refused(secured.byNobody, certificate(null))).toMatchObject(like('kafka_unreachable', 'set kafka_tls to false'))
    })
    test('no TLS where there is', async () => {
      expect(await refused(secured.byLogin, null)).toMatchObject(like('kafka_unreachable', 'set kafka_tls to true'))
    })
    test('nobody there', async () => {
      expect(await refused('127.0.0.1:1', null)).toMatchObject({ canRetry: true, code: 'kafka_unreachable' })
    })
    test('a password in the clear to another machine than the settings name', async () => {
      const exposed = { ...password('plain', plainLogin.user, 'plain.password'), tls: null }
      expect(await refused('kafka.invalid:9092', exposed)).toMatchObject(like('kafka_login_exposed', 'kafka.invalid'))
    })

    test('and no secret is in any of them, or in what the client says', () => {
      expect(said.length).toBeGreaterThan(20)
      for (const secret of [plainLogin.password, scramLogin.password, 'wrong-secret-77', 'eyJ', 'abc.def.ghi', 'PRIVATE']) {
        expect(said.filter((sentence) => sentence.includes(secret))).toEqual([])
      }
    })
  })

  test('replaced files count from the next connection on, without a restart', async () => {
    const client = clientOf(secured.byLogin, password('scram-sha-512', scramLogin.user, 'rotated.password'))
    const connect = async (): Promise<void> => {
      const admin = client.admin()
      await admin.connect().catch((error: unknown) => {
        throw client.faultOf(error)
      })
      await admin.disconnect()
    }
    await file('rotated.password', 'wrong-secret-77')
    await expect(connect()).rejects.toMatchObject({ code: 'kafka_login_refused' })
    await file('rotated.password', scramLogin.password)
    await connect()
  })

  test('a replaced client certificate is shown by the next connection of a producer that goes on', async () => {
    const [before, after] = [await identity('before'), await identity('after')]
    const shown = { cert: at('shown.pem'), key: at('shown.key') }
    const show = async ({ cert, key }: typeof before): Promise<void> => {
      await rename(key, shown.key)
      await rename(cert, shown.cert)
    }
    await show(before)
    const prefix = freshPrefix()
    await prepareTopics({ client: clientOf(secured.byNobody, null), clock: systemClock }, wantedBy(prefix))
    const topic = topicNames(prefix).control
    await allowed([rule('User:CN=after', 'WRITE', topic)])
    const producer = clientOf(secured.byCertificate, certificate(shown)).producer()
    const send = (): Promise<unknown> => producer.send({ acks: -1, messages: [{ key: 'k', value: 'v' }], topic })
    await producer.connect()
    const refusal = { cause: { type: 'TOPIC_AUTHORIZATION_FAILED' } }
    await vi.waitFor(() => expect(send()).rejects.toMatchObject(refusal), { timeout: 5_000 })
    await show(after)
    await expect(send()).rejects.toMatchObject(refusal)
    secured.relay.cut()
    await send()
    await producer.disconnect()
  })

  describe('access rules', () => {
    /** What `waybill kafka topics --print` says, put to the brokers; `without` leaves one operation out. */
    async function allow(prefix: string, principal: string, options: { readonly create?: boolean; readonly without?: string }): Promise<void> {
      const lines = kafkaCommands(wantedBy(prefix), { principal, secured: true }).split('\n').filter((line) => line.includes('kafka-acls.sh'))
      const rules = lines.filter((line) => !line.startsWith('#') || options.create === true).flatMap((line) => {
        const topic = / --topic (\S+)/.exec(line)![1]!
        return [...line.matchAll(/--operation (\w+)/g)].map(([, word]) => rule(principal, operationOf(word!), topic))
      })
      expect(rules).toHaveLength(options.create === true ? 12 : 9)
      const left = options.without === undefined ? rules : rules.filter(({ operation }) => operation !== kafkajs.AclOperationTypes[operationOf(options.without!)])
      await allowed(left)
    }
    const user = `User:${plainLogin.user}`
    beforeAll(async () => {
      // From here on the cluster itself is not everybody's: neither to create topics in nor to write to without repeats.
      const { AclOperationTypes, AclResourceTypes } = kafkajs
      await allowed([AclOperationTypes.CREATE, AclOperationTypes.IDEMPOTENT_WRITE].map((operation) => ({
        ...rule('User:somebody', 'CREATE', 'kafka-cluster'), operation, resourceType: AclResourceTypes.CLUSTER,
      })))
    })
    const client = (): KafkaClient => clientOf(secured.byLogin, password('plain', plainLogin.user, 'plain.password'))
    async function made(prefix: string): Promise<void> {
      await prepareTopics({ client: clientOf(secured.byNobody, null), clock: systemClock }, wantedBy(prefix))
    }

    test('those that are printed are enough where the topics are there', async () => {
      const prefix = freshPrefix()
      await made(prefix)
      await allow(prefix, user, {})
      await use(client(), prefix)
    })
    test.each(['Read', 'Write', 'DescribeConfigs'])('and none of them may be missing: %s', async (without) => {
      const prefix = freshPrefix()
      await made(prefix)
      await allow(prefix, user, { without })
      await expect(use(client(), prefix)).rejects.toMatchObject({ code: 'kafka_not_authorized', message: expect.stringContaining('waybill kafka topics --print') as string })
    })
    test('with those for creating, the topics need not be there; without them, who may create them is told how', async () => {
      const [may, mayNot] = [freshPrefix(), freshPrefix()]
      await allow(may, user, { create: true })
      await use(client(), may)
      await allow(mayNot, user, {})
      await expect(use(client(), mayNot)).rejects.toMatchObject({
        code: 'kafka_topics_missing', message: expect.stringMatching(/this node may not create it.*waybill kafka topics --print/) as string,
      })
    })
  })
})

function operationOf(word: string): 'CREATE' | 'DESCRIBE_CONFIGS' | 'READ' | 'WRITE' {
  return word.replace('DescribeConfigs', 'Describe_Configs').toUpperCase() as 'WRITE'
}

function rule(principal: string, operation: 'CREATE' | 'DESCRIBE_CONFIGS' | 'READ' | 'WRITE', topic: string): AclEntry {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  return {
    host: '*', operation: AclOperationTypes[operation], permissionType: AclPermissionTypes.ALLOW, principal,
    resourceName: topic, resourcePatternType: ResourcePatternTypes.LITERAL, resourceType: AclResourceTypes.TOPIC,
  }
}
