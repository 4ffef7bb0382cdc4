import { stringify } from 'yaml'
import { definitions } from '../../events/catalog.ts'
import { streams, type EventDefinition, type Stream } from '../../events/define.ts'
import { settingTable } from '../../src/config/settings.ts'
import { topicName } from '../../src/log/kafka/topics/topic-rules.ts'
import { RecordChain } from '../support/records.ts'
import { recordSchemasOfDocument, schemaReference, type Json } from './asyncapi-schemas.ts'
import { topicBinding } from './asyncapi-topics.ts'

/** docs/asyncapi.yaml, made from the catalog of records: for programs, in any language, that read the topics. */

/** Of what a reader may rely on: what is added does not change it, what is taken away does. */
const contractVersion = '1.0.0'
const contentType = 'application/cloudevents+json'
const bindingVersion = '0.5.0'

const infoText = `The records of a Waybill cluster, as they stand in Kafka. Waybill is an audited TLS-passthrough proxy: it writes one
record for every change of its configuration and for every connection, before the connection carries a byte.

Each message is one CloudEvents 1.0 event in structured mode: the value is the whole event as JSON, and the header
\`content-type\` says so. The value is canonical JSON (RFC 8785); its exact bytes are what is hashed, so keep those and not
what a parser made of them.

A reader has to know four things:

- The same record may be in a topic more than once, byte for byte: a send whose answer was lost is repeated. Drop what has
  the same \`source\` and \`sequence\`. Other bytes under the same two are a contradiction, and somebody has to look.
- \`sequence\` has no gaps within a \`source\`, from 0, over restarts. Retention cuts the oldest records of a topic; a gap
  anywhere else is a record that is missing.
- \`prevhash\` is the base64 of SHA-256 over a zero byte and the exact bytes of the record before it in the same source
  (a leaf hash of RFC 6962), zeros at sequence 0.
- A record in \`control\` with a \`revision\` is in force only if its \`revision\` is the next number and its \`basis\` is the
  leaf hash of the record that made the revision before (zeros at revision 1). Any other one lost a race to another change
  and is void: every node ignores it, and so must you.

Types never change their meaning: a new version is a new type. A type that is not listed here was written by a newer
Waybill. docs/kafka.md says how to run it, docs/examples/consumer.py reads all this in Python.`

const secured = ['saslPlain', 'saslScramSha256', 'saslScramSha512', 'saslOauthBearer', 'clientCertificate']
const hostVariable = {
  broker: {
    default: 'localhost:9092',
    description: 'host:port of any broker of the cluster: what Waybill has in its setting kafka.',
  },
}

const servers = {
  kafka: { host: '{broker}', protocol: 'kafka', description: 'Without encryption: on one machine, or in a network of its own.', variables: hostVariable },
  kafkaSecured: {
    host: '{broker}',
    protocol: 'kafka-secure',
    description: 'With TLS, and whichever way to log in that the cluster asks for.',
    variables: hostVariable,
    security: secured.map((name) => ({ $ref: `#/components/securitySchemes/${name}` })),
  },
}

const securitySchemes = {
  saslPlain: { type: 'plain', description: 'SASL PLAIN; over TLS only.' },
  saslScramSha256: { type: 'scramSha256', description: 'SASL SCRAM-SHA-256.' },
  saslScramSha512: { type: 'scramSha512', description: 'SASL SCRAM-SHA-512.' },
  saslOauthBearer: { type: 'http', scheme: 'bearer', description: 'SASL OAUTHBEARER, with a token from the identity provider of the cluster.' },
  clientCertificate: { type: 'X509', description: 'A client certificate (mutual TLS).' },
}

const streamTexts: Readonly<Record<Stream, { readonly title: string; readonly summary: string; readonly order: string; readonly key: Json }>> = {
  control: {
    title: 'Control',
    summary: 'Every change to pools, backends, listeners and settings.',
    order: 'One partition: one order for all nodes. Kept for ever: the configuration is what these records add up to.',
    key: { type: 'string', const: 'control', description: 'The same for all: one order.' },
  },
  connections: {
    title: 'Connections',
    summary: 'Every client: opened, progress, closed, or refused.',
    order: 'All records of one node are in one partition, in its order. There is no order between nodes.',
    key: { type: 'string', description: 'Name of the node (`partitionkey` of the record).' },
  },
  operations: {
    title: 'Operations',
    summary: 'What each node says of itself: starts and stops, listeners, health of backends, access to the API, trouble of the log.',
    order: 'All records of one node are in one partition, in its order. There is no order between nodes.',
    key: { type: 'string', description: 'Name of the node (`partitionkey` of the record).' },
  },
}

export function asyncApiText(): string {
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Waybill',
      version: contractVersion,
      description: infoText,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: contentType,
    servers,
    channels: Object.fromEntries(streams.map((stream) => [stream, channel(stream)])),
    operations: Object.fromEntries(streams.flatMap(operations)),
    components: {
      messages: Object.fromEntries(definitions.map((definition) => [definition.type, message(definition)])),
      messageTraits: Object.fromEntries(streams.map((stream) => [stream, trait(stream)])),
      parameters: { prefix: { default: settingTable.topicPrefix.default, description: 'Setting topic_prefix of the nodes: one prefix is one cluster.' } },
      schemas: recordSchemasOfDocument(),
      securitySchemes,
    },
  }
  // Readers of YAML 1.1 (most in Python) would take a plain time for something else than text.
  const text = stringify(document, { aliasDuplicateObjects: false, blockQuote: 'literal', lineWidth: 120, schema: 'yaml-1.1' })
  return `# Generated from events/ by "npm run docs"; a test holds it.\n${text}`
}

function channel(stream: Stream): Json {
  const { order, summary, title } = streamTexts[stream]
  return {
    address: topicName('{prefix}', stream),
    title,
    summary,
    description: `${order} The settings are those that a missing topic is created with; partitions, replicas and retention can be chosen.`,
    parameters: { prefix: { $ref: '#/components/parameters/prefix' } },
    messages: Object.fromEntries(typesOf(stream).map((type) => [type, { $ref: `#/components/messages/${type}` }])),
    bindings: { kafka: { ...topicBinding(stream), bindingVersion } },
  }
}

function operations(stream: Stream): readonly (readonly [string, Json])[] {
  const { title } = streamTexts[stream]
  const common = { channel: { $ref: `#/channels/${stream}` }, messages: typesOf(stream).map((type) => ({ $ref: `#/channels/${stream}/messages/${type}` })) }
  return [
    [`write${title}`, { action: 'send', summary: writing[stream], ...common }],
    [`read${title}`, { action: 'receive', summary: reading[stream], description: readingText, ...common }],
  ]
}

const writing: Readonly<Record<Stream, string>> = {
  control: 'The node whose API took a change writes it. It is in force when it is read back and fits.',
  connections: 'Each node writes its own; the opening record before the first byte of the client is forwarded.',
  operations: 'Each node writes its own.',
}
const reading: Readonly<Record<Stream, string>> = {
  control: 'Every node follows it from the start and routes by it; others read it to know the configuration, and who changed it.',
  connections: 'Whoever finds a node dead reads what that node left open; others read it to know who talked to what.',
  operations: 'Every node follows it to show the others; others read it to watch the nodes.',
}
const readingText = 'Nodes read by partition and position, without a consumer group. Others may do as they like: reading changes nothing.'

/** What all messages of a topic have in common. */
function trait(stream: Stream): Json {
  return {
    contentType,
    headers: {
      type: 'object',
      properties: { 'content-type': { type: 'string', const: contentType, description: 'CloudEvents in structured mode.' } },
      required: ['content-type'],
    },
    bindings: { kafka: { key: streamTexts[stream].key, bindingVersion } },
  }
}

function message(definition: EventDefinition): Json {
  const { changes, stream, subject, summary, type } = definition
  const shortName = type.replace(/^dev\.waybill\./, '')
  return {
    name: type,
    title: shortName,
    summary,
    description: `\`subject\` is \`${subject}\`.${changes ? ' A change of the configuration: in force only if `revision` and `basis` fit.' : ''}`,
    ...correlation(definition),
    payload: { $ref: schemaReference(type) },
    examples: [{ name: 'example', headers: { 'content-type': contentType }, payload: exampleRecord(definition, definition.examples[0] as object) }],
    traits: [{ $ref: `#/components/messageTraits/${stream}` }],
  }
}

/** What ties the records of one connection together. */
function correlation({ data, stream }: EventDefinition): Json {
  const isOneConnection = stream === 'connections' && 'shape' in data && Object.hasOwn(data.shape as object, 'connection_id')
  if (!isOneConnection) return {}
  return { correlationId: { description: 'All records of one connection have the same.', location: '$message.payload#/data/connection_id' } }
}

/** A whole record, the first of its source. Ids are the same each time it is made. */
export function exampleRecord(definition: EventDefinition, example: object): Json {
  const { text } = new RecordChain(definition.stream).make(definition, example)
  return { ...(JSON.parse(text) as Json), id: '0198c0de-0000-7000-8000-0000000000ff' }
}

function typesOf(stream: Stream): string[] {
  return definitions.filter((definition) => definition.stream === stream).map(({ type }) => type)
}
