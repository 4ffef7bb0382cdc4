import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { streams, type Stream } from '../../../events/define.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemDisk } from '../../../src/core/system/disk.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'
import type { JoinOptions } from '../../../src/log/kafka/joining/join-cluster.ts'
import { partitionCounts, prepareTopics } from '../../../src/log/kafka/topics/topics.ts'
import { topicName } from '../../../src/log/kafka/topics/topic-rules.ts'
import { draft } from '../../support/drafts.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { plainLogin, startSecuredBroker, type SecuredBroker } from '../../support/kafka/secured.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** A node that lacks a right at one topic does not start, and says which: whoever runs the brokers has to give it. */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const rights = ['READ', 'WRITE', 'DESCRIBE_CONFIGS'] as const
type Right = (typeof rights)[number]

describe.skipIf(skipReason !== null)(`a start without a right${skipped}`, () => {
  let secured: SecuredBroker
  let passwordFile: string

  beforeAll(async () => {
    secured = await startSecuredBroker()
    passwordFile = join(secured.folder, 'plain.password')
    await writeFile(passwordFile, plainLogin.password)
  }, 90_000)
  afterAll(async () => {
    await secured?.[Symbol.asyncDispose]()
  })

  /** The topics, with a record of another node in each, or with none. */
  async function made(content: 'empty' | 'used'): Promise<string> {
    const prefix = freshPrefix()
    const log = await openKafkaLog({ brokers: [secured.byNobody], disk: new MemoryDisk(), node: 'n2', prefix })
    if (content === 'used') for (const stream of streams) await log.append(stream, [draft('of another')], { purpose: 'owed' })
    expect(await log.close(5_000)).toBe(true)
    return prefix
  }

  /** All that a node needs, but one right at one topic. */
  async function allowAllBut(prefix: string, without: { readonly right: Right; readonly stream: Stream } | null): Promise<void> {
    const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
    const given = streams.flatMap((stream) => rights.map((right) => ({ right, stream })))
      .filter(({ right, stream }) => right !== without?.right || stream !== without.stream)
    const admin = new KafkaClient({ brokers: [secured.byNobody], clientId: 'root', logger: silentLogger }).admin()
    await admin.connect()
    await admin.createAcls({
      acl: given.map(({ right, stream }) => ({
        host: '*', operation: AclOperationTypes[right], permissionType: AclPermissionTypes.ALLOW, principal: `User:${plainLogin.user}`,
        resourceName: topicName(prefix, stream), resourcePatternType: ResourcePatternTypes.LITERAL, resourceType: AclResourceTypes.TOPIC,
      })),
    })
    await admin.disconnect()
  }

  async function start(prefix: string): Promise<void> {
    const brokers = [secured.byLoginInTheClear]
    const security = { disk: systemDisk, login: { mechanism: 'plain', passwordFile, user: plainLogin.user }, tls: null } as const
    using client = new KafkaClient({ brokers, clientId: 'test', logger: silentLogger, security })
    const wanted = { brokers, partitions: 3, prefix, replicas: null, retentionMs: null }
    const prepare = async (): ReturnType<JoinOptions['prepareTopics']> => partitionCounts((await prepareTopics({ client, clock: systemClock }, wanted)).facts)
    const log = await openKafkaLog({ brokers, disk: new MemoryDisk(), options: { client, prepareTopics: prepare }, prefix })
    for (const stream of streams) await log.append(stream, [draft('own')], { purpose: 'owed' })
    expect(await log.close(5_000)).toBe(true)
  }

  test.for(['empty', 'used'] as const)('none is missing: it starts on topics that are %s', async (content) => {
    const prefix = await made(content)
    await allowAllBut(prefix, null)
    await start(prefix)
  })

  const cases = (['empty', 'used'] as const).flatMap((content) => streams.map((stream) => [stream, content] as const))

  test.for(cases)('to read the topic of %s, which is %s', async ([stream, content]) => {
    const prefix = await made(content)
    await allowAllBut(prefix, { right: 'READ', stream })
    await expect(start(prefix)).rejects.toMatchObject({
      code: 'kafka_not_authorized', message: expect.stringMatching(new RegExp(`read.*${topicName(prefix, stream)}\\b.*waybill kafka topics --print`)) as string,
    })
  })
})
