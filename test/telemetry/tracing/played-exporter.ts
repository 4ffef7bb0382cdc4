import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'

/** An exporter that keeps what it is given, and answers as the test says. */

export class PlayedExporter implements SpanExporter {
  readonly batches: ReadableSpan[][] = []
  /** How it answers; null: not yet. */
  answer: { readonly code: 0 | 1; readonly error?: Error } | null = { code: 0 }
  readonly #waiting: Parameters<SpanExporter['export']>[1][] = []

  get spans(): ReadableSpan[] {
    return this.batches.flat()
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.batches.push(spans)
    if (this.answer === null) this.#waiting.push(done)
    else done(this.answer)
  }

  /** Answers all that wait. */
  answerWith(answer: NonNullable<PlayedExporter['answer']>): void {
    this.answer = answer
    for (const done of this.#waiting.splice(0)) done(answer)
  }

  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}
