import type { z } from 'zod'
import type { EventDefinition } from '../../events/define.ts'
import type { Draft } from '../../events/envelope.ts'
import { rfc3339, type Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'

/** Makes drafts with this node's ids, times and partition key. Data has its keys in code-unit order. */
export class Drafts {
  readonly #clock: Clock
  readonly #makeId: MakeId
  readonly #partitionKey: string

  /** `partitionKey`: the node's name; control changes have one key for all nodes and are drafted by their deciders. */
  constructor(clock: Clock, makeId: MakeId, partitionKey: string) {
    this.#clock = clock
    this.#makeId = makeId
    this.#partitionKey = partitionKey
  }

  /** A draft of a record that is true from now on. `traced`: the trace of the request that it came of. */
  make<Type extends string, Data extends z.ZodType>(
    definition: EventDefinition<Type, Data>,
    subject: string,
    data: z.input<Data> & object,
    traced: Pick<Draft, 'traceparent'> = {},
  ): Draft {
    return {
      id: this.#makeId(),
      type: definition.type,
      subject,
      time: rfc3339(this.#clock.now()),
      partitionkey: this.#partitionKey,
      ...traced,
      data,
    }
  }
}
