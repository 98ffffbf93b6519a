/*
 * Scripts that make a shell ask `keyferry __complete` for what can stand at the cursor. They hold no names, so they stay as they
 * are when commands are added, and evaluate nothing: a candidate can be a name that another person chose.
 */

const BASH = `# Completion of keyferry for bash. Nothing that comes from a server is evaluated.
_keyferry_complete() {
  local line="\${COMP_LINE:0:COMP_POINT}" piece="\${COMP_WORDS[COMP_CWORD]}"
  local current before out candidate
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=('')
  current="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  out="$("\${words[0]}" __completeNoDesc "\${words[@]:1}" 2> /dev/null)" || return
  # bash replaces only what follows the last of these characters.
  [[ "$piece" == [=:@]* ]] && piece="\${piece#?}"
  before="\${current%"$piece"}"
  if [[ "$out" == *$'\\n'* ]]; then
    while IFS= read -r candidate; do
      COMPREPLY+=("\${candidate#"$before"}")
    done <<< "\${out%$'\\n'*}"
  fi
  [[ "\${#COMPREPLY[@]}" == 0 && "$out" == ':0' ]] || return
  compopt -o filenames 2> /dev/null
  while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "$piece")
}
complete -F _keyferry_complete keyferry kubectl-keyferry
`;

const ZSH = `#compdef keyferry kubectl-keyferry
# Completion of keyferry for zsh. Nothing that comes from a server is evaluated.
_keyferry() {
  local out line name description
  local -a lines candidates typed
  typed=("\${(@Q)words[2,CURRENT]}")
  out="$("\${(Q)words[1]}" __complete "\${(@)typed}" 2> /dev/null)" || return 1
  lines=("\${(@f)out}")
  for line in "\${(@)lines[1,-2]}"; do
    name="\${line%%$'\\t'*}"
    description="\${line#*$'\\t'}"
    [[ "$line" == *$'\\t'* ]] || description=''
    candidates+=("\${name//:/\\\\:}\${description:+:$description}")
  done
  if (( $#candidates )); then
    _describe -V 'keyferry' candidates
  elif [[ "\${lines[-1]}" == ':0' ]]; then
    _files
  fi
}
if [[ "\${funcstack[1]}" == _keyferry ]]; then
  _keyferry "$@"
else
  compdef _keyferry keyferry kubectl-keyferry
fi
`;

const FISH = `# Completion of keyferry for fish. Nothing that comes from a server is evaluated.
function __keyferry_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l out ($typed[1] __complete $typed[2..-1] "$current" 2>/dev/null)
    or return
    if test (count $out) -gt 1
        printf '%s\\n' $out[1..-2]
    else if test "$out[-1]" = ':0'
        __fish_complete_path "$current"
    end
end
for name in keyferry kubectl-keyferry
    complete -c $name -e
    complete -c $name -f -a '(__keyferry_complete)'
end
`;

const POWERSHELL = `# Completion of keyferry for PowerShell. Nothing that comes from a server is evaluated.
Register-ArgumentCompleter -Native -CommandName 'keyferry', 'kubectl-keyferry' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object {
        # Without its quotes.
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.ToString() }
    })
    $typed = @($words | Select-Object -Skip 1)
    if ($wordToComplete -eq '') {
        # Before 7.3, and later where it is told so, PowerShell passes no empty argument on.
        $drops = $PSVersionTable.PSVersion -lt [version]'7.3' -or $PSNativeCommandArgumentPassing -eq 'Legacy'
        if ($drops) { $typed += '""' } else { $typed += '' }
    }
    $out = @(& $words[0] __complete @typed 2>$null)
    $out | Select-Object -SkipLast 1 | ForEach-Object {
        $name, $description = $_ -split "\`t", 2
        if (-not $description) { $description = $name }
        $text = if ($name -match '[^\\w./:=-]') { "'" + $name + "'" } else { $name }
        [System.Management.Automation.CompletionResult]::new($text, $name, 'ParameterValue', $description)
    }
}
`;

/** By shell, as `completion` names it. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  powershell: POWERSHELL,
};
