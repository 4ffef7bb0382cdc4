import { shortDescription, type CompletionNode, type Named } from './tree.ts'

/** The completion script for zsh: words with their descriptions, all in the script. */
export function zshScript(nodes: readonly CompletionNode[]): string {
  const verbs = nodes.filter(({ path }) => path.length > 0).map(({ path }) => `"${at(path)}"`)
  return `#compdef waybill
# zsh completion for waybill; put it into a folder of $fpath as _waybill, or use it with: source <(waybill completion zsh)
_waybill() {
  local at="" index
  for ((index = 2; index < CURRENT; index++)); do
    case "$at \${words[index]}" in
      ${verbs.join(' | ')}) at="$at \${words[index]}" ;;
    esac
  done
  case "$at \${words[CURRENT - 1]}" in
${nodes.flatMap(valueCases).join('\n')}
  esac
  local -a offered
  case "$at" in
${nodes.map(nodeCase).join('\n')}
  esac
  _describe waybill offered
}
if [[ "\${funcstack[1]}" == _waybill ]]; then _waybill "$@"; else compdef _waybill waybill; fi`
}

function at(path: readonly string[]): string {
  return path.map((word) => ` ${word}`).join('')
}

function valueCases({ flags, path }: CompletionNode): string[] {
  return flags.flatMap(({ name, value }) => {
    if (value.kind === 'none') return []
    const found = { any: '', file: '_files; ', words: '' }[value.kind]
    const words = value.kind === 'words' ? `compadd -- ${value.words.map(quoted).join(' ')}; ` : ''
    return [`    "${at(path)} ${name}") ${found}${words}return ;;`]
  })
}

function nodeCase({ flags, path, takesFile, verbs, words }: CompletionNode): string {
  const offered = [...verbs, ...flags].map(described)
  return `    "${at(path)}") offered=(${[...words.map(quoted), ...offered].join(' ')})${takesFile ? '; _files' : ''} ;;`
}

function described(named: Named): string {
  return quoted(`${named.name}:${shortDescription(named)}`)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
