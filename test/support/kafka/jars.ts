import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder, exists, madeOnce } from '../cache-folder.ts'

/** Apache Kafka from its published jars, fetched once by Maven into a cache folder outside of the project. */

export const kafkaVersion = '4.1.0'
/** Without a binding of slf4j a broker that fails says nothing at all. */
const slf4jVersion = '1.7.36'
const run = promisify(execFile)
const mavenTimeoutMs = 600_000
/** Of brokers since Kafka 4.0. */
const javaVersionMin = 17
const jarsFolder = cacheFolder(`kafka-${kafkaVersion}`)

/** Null: it can be had. */
export async function reasonAgainstJars(): Promise<string | null> {
  const version = await javaVersion()
  if (version === null) return 'there is no Java (java -version fails)'
  if (version < javaVersionMin) return `Java ${version} is too old: Kafka ${kafkaVersion} needs ${javaVersionMin}`
  if (await exists(jarsFolder)) return null
  try {
    await run('mvn', ['-v'])
    return null
  } catch {
    return 'there is no Maven to fetch the jars of Kafka (mvn -v fails)'
  }
}

/** Why a test can't have brokers of its own; null: it can. Under CI it is an error instead, so that no run passes without. */
export async function ownBrokersMissing(): Promise<string | null> {
  const because = await reasonAgainstJars()
  if (because !== null && process.env['CI'] === 'true') throw new Error(`under CI no test that stops its Kafka broker is skipped: ${because}`)
  return because
}

async function javaVersion(): Promise<number | null> {
  try {
    const { stderr } = await run('java', ['-version'])
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
  } catch {
    return null
  }
}

/** The folder with the jars. */
export function kafkaJars(): Promise<string> {
  return madeOnce(jarsFolder, async (work) => {
    await writeFile(join(work, 'pom.xml'), pom)
    await copyWithMaven(work)
    return join(work, 'jars')
  })
}

async function copyWithMaven(folder: string): Promise<void> {
  try {
    await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], { cwd: folder, timeout: mavenTimeoutMs })
  } catch (error) {
    // Maven says on its standard output what is wrong.
    const { stdout = '' } = error as { readonly stdout?: string }
    throw new Error(`Maven could not fetch Kafka ${kafkaVersion}: ${stdout.trim() || String(error)}`, { cause: error })
  }
}

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>waybill</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>${slf4jVersion}</version></dependency>
  </dependencies>
</project>
`
