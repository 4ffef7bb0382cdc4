import type { Answer } from '../commands/desk.ts'
import { Problem } from './problem.ts'

/** What the desk answered, as HTTP: the effect, or the problem that says what became of the change. */

export type Effect<Data extends object> = Extract<Answer<Data>, { kind: 'effective' | 'repeated' | 'unchanged' }>

export function effectOf<Data extends object>(answer: Answer<Data>): Effect<Data> {
  switch (answer.kind) {
    case 'effective':
    case 'repeated':
    case 'unchanged':
      return answer
    case 'refused':
      throw Problem.ofRefusal(answer.refusal)
    case 'not_applied':
      throw new Problem('not_applied', `The log takes no records (${answer.because}), so nothing was changed.`)
    case 'clock_off':
      throw new Problem('clock_off', `${answer.because} Nothing was changed.`)
    case 'outcome_unknown':
      throw new Problem(
        'outcome_unknown',
        `The change is record ${answer.id}; it was not confirmed in time and may still take effect. Look for it before ` +
          'sending the change again.',
        { extra: { record_id: answer.id } },
      )
    case 'frozen':
      throw frozenProblem(answer)
    case 'conflict_retry_exhausted':
      throw new Problem('conflict_retry_exhausted', `The change lost ${answer.attempts} races against other changes.`, {
        extra: { attempts: answer.attempts },
      })
    case 'busy':
      throw new Problem('command_queue_full', `${answer.waiting} changes are waiting already; nothing was changed.`)
  }
}

export function frozenProblem({ because }: { readonly because: string }): Problem {
  return new Problem('configuration_frozen', `This node no longer follows the configuration: ${because}.`)
}
