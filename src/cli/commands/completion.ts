import { Argument, type Command } from 'commander';
import { withExamples, type Carry } from '../declare.ts';

/** `completion SHELL`. What the scripts ask, `__complete`, is not a command: program.ts hands it on. */
export function declareCompletion(program: Command, carry: Carry): void {
  const completion = program
    .command('completion')
    .addArgument(
      new Argument('<shell>', 'bash, zsh, fish or powershell').choices(['bash', 'zsh', 'fish', 'powershell']),
    )
    .description('Print the script that completes commands, flags and names of the cluster in a shell');
  withExamples(completion, [
    [
      'In bash, for this shell; add the line to ~/.bashrc',
      'completion bash > /tmp/keyferry.bash && . /tmp/keyferry.bash',
    ],
    ['In zsh, with a folder of $fpath', 'completion zsh > "${fpath[1]}/_keyferry"'],
    ['In fish', 'completion fish > ~/.config/fish/completions/keyferry.fish'],
    ['In PowerShell; add it to $PROFILE', 'completion powershell | Out-String | Invoke-Expression'],
  ]).action(
    carry(
      async ({ printCompletion }, invocation, shell) => printCompletion(invocation, String(shell)),
      async () => import('../completion/completion.ts'),
    ),
  );
}
