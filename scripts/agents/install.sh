#!/usr/bin/env bash
# Installs real coding tools for `npm run test:agents` into a cache folder; what is there already is left as it is.
#   scripts/agents/install.sh [--dir DIR] aider codex …   (no name: all)
# Each tool has a folder of its own, so that one that cannot be installed harms no other. Prints one line a tool;
# exit code 1 if one of those named cannot be run afterwards.
set -uo pipefail

dir="${ORCH_AGENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/orch-agents}"
all='aider claude codex opencode gemini copilot'
if [ "${1:-}" = --dir ]; then
  dir=${2:?--dir needs a folder}
  shift 2
fi
mkdir -p "$dir/bin" || exit 1
bin="$(cd "$dir/bin" && pwd)"

package_of() {
  case $1 in
    claude) echo '@anthropic-ai/claude-code' ;;
    codex) echo '@openai/codex' ;;
    opencode) echo 'opencode-ai' ;;
    gemini) echo '@google/gemini-cli' ;;
    copilot) echo '@github/copilot' ;;
    *) return 1 ;;
  esac
}

# A tool of an agent must find none of the user's own files, and must not look for a newer version of itself.
version_of() {
  HOME="$dir/home" timeout 60 "$bin/$1" --version 2>/dev/null </dev/null | head -n 1
}

install_aider() {
  local python
  # aider wants less than 3.13. A version manager may have a name on PATH that does not run: it is tried.
  for python in python3 python3.12 python3.11 python3.10; do
    "$python" -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && break
  done
  "$python" -m venv "$dir/aider" &&
    "$dir/aider/bin/pip" install --quiet --disable-pip-version-check aider-chat &&
    ln -sfn "$dir/aider/bin/aider" "$bin/aider"
}

install_npm() {
  local name=$1 package=$2
  npm i --no-audit --no-fund --silent --prefix "$dir/$name" "$package" &&
    ln -sfn "$dir/$name/node_modules/.bin/$name" "$bin/$name"
}

install_one() {
  local name=$1 package log="$dir/$1.install.log"
  if [ "$name" = aider ]; then
    install_aider >"$log" 2>&1
  else
    package=$(package_of "$name") || { echo "$name: no such tool; there are: $all" >&2; return 1; }
    install_npm "$name" "$package" >"$log" 2>&1
  fi
}

failed=0
for name in ${@:-$all}; do
  [ -x "$bin/$name" ] && version=$(version_of "$name") || version=
  if [ -z "$version" ]; then
    install_one "$name" && version=$(version_of "$name") || version=
  fi
  if [ -n "$version" ]; then
    echo "$name: $version"
  else
    echo "$name: cannot be run; see $dir/$name.install.log" >&2
    failed=1
  fi
done
exit "$failed"
