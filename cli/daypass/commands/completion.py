"""`daypass completion SHELL`: the shell's completion of this helper, printed; nothing is installed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daypass.errors import DONE

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "print your shell's completion"

_BASH = r"""# daypass completion for bash. In ~/.bashrc:  eval "$(daypass completion bash)"
_daypass() {
    local line="${COMP_LINE:0:$COMP_POINT}" program="${COMP_WORDS[0]/#\~/$HOME}" words cur cut value about i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            if declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            else
                while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
            fi
            return
        fi
    done
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    cur="${words[${#words[@]} - 1]}"
    # bash ends a word at these; what stands before them is on the line already.
    cut="${cur%"${cur##*[=:@]}"}"
    while IFS=$'\t' read -r value about; do
        COMPREPLY+=("$(printf %q "${value#"$cut"}")")
    done < <("$program" __complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _daypass daypass
"""

_ZSH = r"""#compdef daypass
# daypass completion for zsh. In ~/.zshrc, behind compinit:  eval "$(daypass completion zsh)"
_daypass() {
    local -a found
    local value about
    local -i i
    for ((i = 2; i < CURRENT; i++)); do
        if [[ ${words[i]} == -- ]]; then
            shift $i words
            ((CURRENT -= i))
            _normal
            return
        fi
    done
    while IFS=$'\t' read -r value about; do
        found+=("${value//:/\\:}:$about")
    done < <("${~words[1]}" __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    _describe -t daypass daypass found
}
if [[ ${funcstack[1]} == _daypass ]]; then
    _daypass "$@"
elif (($+functions[compdef])); then
    compdef _daypass daypass
fi
"""

_FISH = r"""# daypass completion for fish. In ~/.config/fish/config.fish:  daypass completion fish | source
function __daypass_words
    set -l words (commandline -opc) (commandline -ct)
    daypass __complete -- $words[2..-1] 2>/dev/null
end
function __daypass_program
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words)
    complete -C (string join -- ' ' (string escape -- $words[(math $at + 1)..-1]))
end
complete -c daypass -e
complete -c daypass -f -n 'not contains -- -- (commandline -opc)' -a '(__daypass_words)'
complete -c daypass -f -n 'contains -- -- (commandline -opc)' -a '(__daypass_program)'
"""

_POWERSHELL = r"""# daypass completion for PowerShell. In $PROFILE:
#   daypass completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName daypass -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '""' }
    daypass __complete '--' $words 2>$null | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        $typed = if ($value -match '[^\w./+=:-]') { "'" + ($value -replace "'", "''") + "'" } else { $value }
        $shown = if ($about) { $about } else { $value }
        [System.Management.Automation.CompletionResult]::new($typed, $value, 'ParameterValue', $shown)
    }
}
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}


def arguments(parser: argparse.ArgumentParser) -> None:
    """SHELL."""
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="for which shell")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print it."""
    context.output.stdout.write(SCRIPTS[arguments.shell])
    context.output.stdout.flush()
    return DONE
