import { readFile } from 'node:fs/promises'
import type { TestProject } from 'vitest/node'
import { startInDocker } from './docker.ts'
import { reasonAgainstJars } from './jars.ts'
import { startBroker } from './own-broker.ts'

/**
 * Starts the broker that the tests of a run share, if one of them needs it. A real one in any case: the cluster that
 * KAFKA_BROKERS names, a container where a Docker engine answers, or Apache Kafka from its jars under Java.
 */

export type SharedBroker =
  | { readonly kind: 'docker' | 'jars' | 'named'; readonly brokers: readonly string[] }
  | { readonly kind: 'missing'; readonly because: string }

declare module 'vitest' {
  export interface ProvidedContext {
    kafka: SharedBroker
  }
}

/** Called once by the runner, before any test. */
export async function setup(project: TestProject): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const needed = await isNeeded(project)
  const shared: SharedBroker = needed ? await start(stack) : { because: 'no test of this run asks for it', kind: 'missing' }
  if (needed && shared.kind === 'missing') {
    if (process.env['CI'] === 'true') throw new Error(`the tests need a Kafka broker, and under CI they are not skipped: ${shared.because}`)
    process.stderr.write(`Tests that need a Kafka broker are skipped: ${shared.because}\n`)
  }
  project.provide('kafka', shared)
  started = stack.move()
}

/** Called once, after the last one. */
export async function teardown(): Promise<void> {
  await started?.disposeAsync()
}

let started: AsyncDisposableStack | null = null

async function start(stack: AsyncDisposableStack): Promise<SharedBroker> {
  const named = process.env['KAFKA_BROKERS']
  if (named !== undefined && named !== '') return { brokers: named.split(','), kind: 'named' }
  const container = await startInDocker()
  if (container !== null) {
    stack.use(container)
    return { brokers: container.brokers, kind: 'docker' }
  }
  const because = await reasonAgainstJars()
  if (because !== null) return { because: `KAFKA_BROKERS is not set, no Docker engine answers, and ${because}`, kind: 'missing' }
  const broker = stack.use(await startBroker())
  return { brokers: broker.brokers, kind: 'jars' }
}

/** Whether a test file of this run imports what needs the broker. */
async function isNeeded(project: TestProject): Promise<boolean> {
  const specifications = await project.vitest.globTestSpecifications(filtersOf(project))
  const texts = await Promise.all(specifications.map(({ moduleId }) => readFile(moduleId, 'utf8')))
  return texts.some((text) => text.includes('support/kafka/broker.ts'))
}

/** The file names that the run was called with. */
function filtersOf({ vitest }: TestProject): string[] {
  const { filenamePattern } = vitest as unknown as { readonly filenamePattern?: string[] }
  return filenamePattern ?? []
}
