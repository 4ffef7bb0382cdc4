import type { CompletionNode } from './tree.ts'

/** The completion script for bash: plain `compgen` on words that are in the script, so that no key press starts a process. */
export function bashScript(nodes: readonly CompletionNode[]): string {
  const verbs = nodes.filter(({ path }) => path.length > 0).map(({ path }) => `"${at(path)}"`)
  return `# bash completion for waybill; use it with: source <(waybill completion bash)
_waybill() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" at="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$at \${COMP_WORDS[index]}" in
      ${verbs.join(' | ')}) at="$at \${COMP_WORDS[index]}" ;;
    esac
  done
  COMPREPLY=()
  case "$at $previous" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  local words="" files=""
  case "$at" in
${nodes.map(nodeCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ -n "$files" && "$current" != -* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _waybill waybill`
}

/** \`" pools list"\`: every word with a space before it, as the script collects them. */
function at(path: readonly string[]): string {
  return path.map((word) => ` ${word}`).join('')
}

function valueCases({ flags, path }: CompletionNode): string[] {
  return flags.flatMap(({ name, value }) => {
    if (value.kind === 'none') return []
    const found = { any: '', file: 'COMPREPLY=($(compgen -f -- "$current")); ', words: '' }[value.kind]
    const words = value.kind === 'words' ? `COMPREPLY=($(compgen -W "${value.words.join(' ')}" -- "$current")); ` : ''
    return [`    "${at(path)} ${name}") ${found}${words}return ;;`]
  })
}

function nodeCase({ flags, path, takesFile, verbs, words }: CompletionNode): string {
  const offered = [...verbs.map(({ name }) => name), ...words, ...flags.map(({ name }) => name)]
  return `    "${at(path)}") words="${offered.join(' ')}"${takesFile ? ' files=yes' : ''} ;;`
}
