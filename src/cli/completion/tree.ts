import type { Argument, Command, Option } from 'commander'

/** The command line as data: what may follow what. */

export interface CompletionNode {
  /** From the program down, without its name: `['pools', 'list']`. */
  readonly path: readonly string[]
  readonly verbs: readonly Named[]
  readonly flags: readonly Flag[]
  /** What the first argument may be, where that is a closed list. */
  readonly words: readonly string[]
  /** Whether an argument is a file. */
  readonly takesFile: boolean
}

export interface Named {
  readonly name: string
  readonly description: string
}

export interface Flag extends Named {
  /** `none`: it takes no value; `words`: one of these; `file`: a path; `any`: nobody can guess it. */
  readonly value: { readonly kind: 'any' | 'file' | 'none' } | { readonly kind: 'words'; readonly words: readonly string[] }
}

/** Every verb and verb of a verb, the program itself first. */
export function completionTree(program: Command): readonly CompletionNode[] {
  return nodesOf(program, [])
}

function nodesOf(command: Command, path: readonly string[]): CompletionNode[] {
  const help = command.createHelp()
  const inner = help.visibleCommands(command).filter((one) => command.commands.includes(one))
  const [argument] = command.registeredArguments
  return [
    {
      path,
      verbs: inner.map((one) => ({ name: one.name(), description: one.description() })),
      flags: help.visibleOptions(command).map(flagOf),
      words: argument?.argChoices ?? [],
      takesFile: command.registeredArguments.some(isFile),
    },
    ...inner.flatMap((one) => nodesOf(one, [...path, one.name()])),
  ]
}

function flagOf(option: Option): Flag {
  const named = { name: option.long ?? option.flags, description: option.description }
  if (!option.required && !option.optional) return { ...named, value: { kind: 'none' } }
  const words = option.argChoices ?? /<([a-z]+(?:\|[a-z]+)+)>$/.exec(option.flags)?.[1]?.split('|')
  if (words !== undefined) return { ...named, value: { kind: 'words', words } }
  return { ...named, value: { kind: /<(?:DIR|FILE)>$/.test(option.flags) ? 'file' : 'any' } }
}

function isFile(argument: Argument): boolean {
  return argument.name() === 'FILE'
}

/** Whole descriptions are for `--help`; a list of completions has one line for each. */
export function shortDescription({ description }: Named): string {
  const [sentence = ''] = description.split(/[.;]\s/, 1)
  return sentence.replace(/\.$/, '')
}
