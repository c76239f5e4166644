#!/usr/bin/env bash
# Installs real coding tools for `npm run test:agents` into a cache folder; what runs there already is left as it is.
#   scripts/agents/install.sh [--dir DIR] [--latest] aider codex …   (no name: all)
# The versions are those of docs/tools-matrix.md; --latest takes the newest, to see whether orch still understands them.
# Each tool has a folder of its own, so that one that cannot be installed harms no other. Prints one line a tool;
# exit code 1 if one of those named cannot be run afterwards.
set -uo pipefail

dir="${ORCH_AGENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/orch-agents}"
all='aider claude codex opencode gemini copilot'
latest=
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=${2:?--dir needs a folder}; shift 2 ;;
    --latest) latest=1; shift ;;
    -*) echo "usage: $0 [--dir DIR] [--latest] [TOOL..]; there are: $all" >&2; exit 2 ;;
    *) break ;;
  esac
done
mkdir -p "$dir/bin" "$dir/home" || exit 1
dir="$(cd "$dir" && pwd)"

package_of() {
  case $1 in
    aider) echo 'aider-chat 0.86.2' ;;
    claude) echo '@anthropic-ai/claude-code 2.1.197' ;;
    codex) echo '@openai/codex 0.169.0' ;;
    opencode) echo 'opencode-ai 1.18.33' ;;
    gemini) echo '@google/gemini-cli 0.61.0' ;;
    copilot) echo '@github/copilot 1.0.102' ;;
    *) return 1 ;;
  esac
}

# In a home of its own: some write there as soon as they run.
version_of() {
  HOME="$dir/home" timeout 60 "$dir/bin/$1" --version 2>/dev/null </dev/null | head -n 1
}

install_python() {
  local name=$1 package=$2 version=$3 python
  # aider wants less than 3.13. A version manager may have a name on PATH that does not run: it is tried.
  for python in python3 python3.12 python3.11 python3.10; do
    "$python" -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && break
  done
  "$python" -m venv "$dir/$name" &&
    "$dir/$name/bin/pip" install --quiet --disable-pip-version-check --upgrade "$package${version:+==$version}" &&
    ln -sfn "$dir/$name/bin/$name" "$dir/bin/$name"
}

install_npm() {
  local name=$1 package=$2 version=$3
  npm i --no-audit --no-fund --silent --prefix "$dir/$name" "$package@${version:-latest}" &&
    ln -sfn "$dir/$name/node_modules/.bin/$name" "$dir/bin/$name"
}

failed=0
for name in ${@:-$all}; do
  if ! read -r package version <<<"$(package_of "$name")" || [ -z "$package" ]; then
    echo "$name: no such tool; there are: $all" >&2
    failed=1
    continue
  fi
  [ -n "$latest" ] && version=
  found=
  [ -z "$latest" ] && [ -x "$dir/bin/$name" ] && found=$(version_of "$name")
  if [ -z "$found" ]; then
    how=install_npm
    [ "$name" = aider ] && how=install_python
    "$how" "$name" "$package" "$version" >"$dir/$name.install.log" 2>&1 && found=$(version_of "$name")
  fi
  if [ -n "$found" ]; then
    echo "$name: $found"
  else
    echo "$name: cannot be run; see $dir/$name.install.log" >&2
    failed=1
  fi
done
exit "$failed"
