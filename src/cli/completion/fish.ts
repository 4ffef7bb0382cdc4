import { shortDescription, type CompletionNode, type Flag, type Named } from './tree.ts'

/** The completion script for fish: one line for each word, with the condition under which it is offered. */
export function fishScript(nodes: readonly CompletionNode[]): string {
  const lines = nodes.flatMap((node) => [
    ...node.verbs.map((verb) => line(node, `-a ${verb.name}`, verb)),
    ...node.words.map((word) => line(node, `-a ${word}`, null)),
    ...node.flags.map((flag) => line(node, flagPart(flag), flag)),
    ...(node.takesFile ? [line(node, '-F', null)] : []),
  ])
  return ['# fish completion for waybill; put it into ~/.config/fish/completions/waybill.fish', 'complete -c waybill -f', ...lines].join('\n')
}

function flagPart({ name, value }: Flag): string {
  const long = `-l ${name.replace(/^--/, '')}`
  if (value.kind === 'none') return long
  if (value.kind === 'words') return `${long} -x -a ${quoted(value.words.join(' '))}`
  return value.kind === 'file' ? `${long} -r -F` : `${long} -x`
}

function line(node: CompletionNode, what: string, named: Named | null): string {
  const description = named === null ? '' : ` -d ${quoted(shortDescription(named))}`
  return `complete -c waybill -n ${quoted(conditionOf(node))} ${what}${description}`
}

/** All verbs of the path have been written, and none of those that may follow. */
function conditionOf({ path, verbs }: CompletionNode): string {
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`)
  const next = verbs.length === 0 ? [] : [`not __fish_seen_subcommand_from ${verbs.map(({ name }) => name).join(' ')}`]
  return [...seen, ...next].join('; and ')
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`
}
