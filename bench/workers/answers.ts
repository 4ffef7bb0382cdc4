/** The worker's end of the questions of children.ts. Ends with its parent. */

export type Answers = Readonly<Record<string, (parameters: never) => unknown>>

export function answer(answers: Answers): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', (message: { question: string; parameters: never }) => {
    void reply(answers, message.question, message.parameters)
  })
}

async function reply(answers: Answers, question: string, parameters: never): Promise<void> {
  try {
    const ask = answers[question]
    if (ask === undefined) throw new Error(`nobody here answers "${question}"`)
    process.send?.({ answer: (await ask(parameters)) ?? null })
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) })
  }
}
