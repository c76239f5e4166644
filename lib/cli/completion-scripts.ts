/** What `orch completion` prints. Each script asks `orch _complete SHELL WORD..` and falls back to file names. */

const BASH = `# Completion of orch for bash. Put it where bash looks for it:
#   orch completion bash > ~/.local/share/bash-completion/completions/orch
_orch_complete() {
  local IFS=$'\\n'
  COMPREPLY=($("$1" _complete bash "\${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _orch_complete orch
`;

const ZSH = `#compdef orch
# Completion of orch for zsh. Put it into a folder of $fpath:
#   orch completion zsh > "\${fpath[1]}/_orch"
_orch() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" _complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${candidates[1]}" ]]; then
    _describe orch candidates
  else
    _files
  fi
}
if [[ "\${zsh_eval_context[-1]}" == loadautofunc ]]; then
  _orch "$@"
else
  compdef _orch orch
fi
`;

const FISH = `# Completion of orch for fish:
#   orch completion fish > ~/.config/fish/completions/orch.fish
function __orch_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l candidates (orch _complete fish $before[2..-1] "$current" 2>/dev/null)
    if test (count $candidates) -gt 0
        printf '%s\\n' $candidates
    else
        __fish_complete_path "$current"
    end
end
complete -c orch -f -a '(__orch_complete)'
`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
export type Shell = keyof typeof SCRIPTS;
