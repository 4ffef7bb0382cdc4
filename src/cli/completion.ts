import { Argument, type Command } from 'commander'
import { completionTree } from './completion/tree.ts'
import { bashScript } from './completion/bash.ts'
import { fishScript } from './completion/fish.ts'
import { zshScript } from './completion/zsh.ts'
import { printing } from './output.ts'
import { plainVerb, systemPorts, type VerbPorts } from './verb.ts'

/** `waybill completion SHELL`: a script that completes verbs, flags and their values, made from the very tree that is dispatched. */

const scripts = { bash: bashScript, fish: fishScript, zsh: zshScript } as const
type Shell = keyof typeof scripts

export function completionCommand(program: () => Command, ports: Pick<VerbPorts, 'stdout'> = systemPorts): Command {
  return plainVerb('completion', 'Print a completion script for a shell', [
    'source <(waybill completion bash)',
    'waybill completion zsh > ~/.zsh/completions/_waybill',
    'waybill completion fish > ~/.config/fish/completions/waybill.fish',
  ])
    .addArgument(new Argument('<SHELL>', 'which one').choices(Object.keys(scripts)))
    .action(async (shell: Shell) => {
      const script = scripts[shell](completionTree(program()))
      await printing(ports.stdout, false, async (output) => output.text(script))
    })
}
