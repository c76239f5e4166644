/**
 * What the tasks of the material run: POSIX sh and git, nothing else. They note what they do in the ledger beside
 * them; a note that cannot be written ends the task, so that nothing is claimed that the ledger does not hold.
 */

/** Sourced by the others, which set `aside` and `index`. */
const NOTES = `
LC_ALL=C
born_of() {
  born=-
  [ -r "/proc/$1/stat" ] || return 0
  read -r stat < "/proc/$1/stat" 2> /dev/null || return 0
  set -- \${stat##*) }
  state=$1
  shift 19
  born=$1
}
lives() {
  born_of "$1" && [ "$born" != - ] && [ "$born" = "$2" ] && [ "$state" != Z ] && [ "$state" != X ]
}
note() {
  what=$1
  shift
  if [ -r /proc/uptime ]; then read -r up rest < /proc/uptime; else up=$(date +%s); fi
  printf '%s\\n' "$what $ORCH_WORKSTREAM $index $ORCH_RUN $ORCH_ATTEMPT $ORCH_TOKEN $$ $self $up\${*:+ $*}" \\
    >> "$aside/ledger" || exit 75
}
born_of $$
self=$born
`;

/** `task.sh <index> <move>…`: does the moves in order. */
const TASK = `
aside=$(dirname "$0")
index=$1
shift
. "$aside/notes.sh"
count=0
worker=-
worker_born=-
find_worker() {
  [ -d /proc/self ] || return 0
  at=$PPID
  for step in 1 2 3 4; do
    [ "$at" -gt 1 ] && [ -r "/proc/$at/cmdline" ] || return 0
    if tr '\\0' ' ' < "/proc/$at/cmdline" | grep -q "worker.*$ORCH_TOKEN"; then
      worker=$at
      born_of "$at"
      worker_born=$born
      return 0
    fi
    read -r stat < "/proc/$at/stat" || return 0
    set -- \${stat##*) }
    at=$2
  done
}
look_back() {
  [ -d /proc/self ] || return 0
  while read -r what of task run attempt token pid began up more; do
    [ "$of" = "$ORCH_WORKSTREAM" ] && [ "$token" != "$ORCH_TOKEN" ] || continue
    case $what in start | forked) ;; *) continue ;; esac
    if lives "$pid" "$began"; then echo "$pid $token"; fi
    [ "$what" = start ] || continue
    set -- $more
    if lives "\${1:--}" "\${2:--}"; then echo "$1 $token"; fi
  done < "$aside/ledger" > "$aside/seen.$$"
  while read -r pid token; do note overlap "$pid" "$token"; done < "$aside/seen.$$"
  rm -f "$aside/seen.$$"
}
write() {
  count=$((count + 1))
  nonce=nonce:$ORCH_WORKSTREAM.$index.$ORCH_ATTEMPT.$$.$self.$count
  mkdir -p "$(dirname "$1")" || exit 74
  { echo "task $index of $ORCH_WORKSTREAM" && echo "$nonce"; } > "$1" || exit 74
  note wrote "$1" "$nonce"
}
own_git() {
  git -c user.name=Tool -c user.email=tool@localhost -c commit.gpgSign=false -c core.hooksPath=/dev/null "$@"
}
commit() {
  own_git add --all && own_git commit --quiet --allow-empty --message="$1" || exit 76
  note committed "$(git rev-parse HEAD)"
}
pause() {
  ticks=$1
  while [ "$ticks" -gt 0 ]; do
    sleep 0.1
    note beat
    ticks=$((ticks - 1))
  done
}
# In a file: whoever has the token among its own words passes for the worker.
marks=$aside/marks.$$
echo "$ORCH_WORKSTREAM $index $ORCH_RUN $ORCH_ATTEMPT $ORCH_TOKEN" > "$marks" || exit 75
alone=
command -v setsid > /dev/null 2>&1 && alone=setsid

find_worker
look_back
note start "$worker" "$worker_born"
for move in "$@"; do
  with=\${move#*:}
  case $move in
    write:*%a*) write "\${with%%%a*}$ORCH_ATTEMPT\${with#*%a}" ;;
    write:*) write "$with" ;;
    pause:*) pause "$with" ;;
    wait:*)
      tries=6000
      while [ ! -e "$aside/$with" ] && [ "$tries" -gt 0 ]; do
        pause 1
        tries=$((tries - 1))
      done ;;
    print:*) i=0; while [ $i -lt "$with" ]; do echo "line $i of $ORCH_WORKSTREAM"; i=$((i + 1)); done ;;
    commit) write "src/$ORCH_WORKSTREAM/committed-$index.txt"; commit 'a commit of a tool' ;;
    stray)
      own_git checkout --quiet --detach || exit 76
      write "src/$ORCH_WORKSTREAM/stray-$index.txt"
      commit 'a commit beside the branch'
      own_git checkout --quiet "orch/$ORCH_WORKSTREAM" || exit 76 ;;
    drop)
      write "src/$ORCH_WORKSTREAM/dropped-$index.txt"
      commit 'a commit that its tool drops'
      own_git reset --quiet --hard HEAD~1 || exit 76 ;;
    forge)
      commit "$(printf 'No checkpoint\\n\\nOrch-Workstream: %s\\nOrch-Run: %s\\nOrch-Attempt: %s\\nOrch-Task: %064d\\nOrch-Task-Index: 9/9\\nOrch-Previous: none\\nOrch-Base: %s' \\
        "$ORCH_WORKSTREAM" "$ORCH_RUN" "$ORCH_ATTEMPT" 0 "$(git rev-parse HEAD)")" ;;
    child) sh "$aside/child.sh" plain "$marks" & ;;
    deaf-child) sh "$aside/child.sh" deaf "$marks" & ;;
    daemon) ( $alone sh "$aside/child.sh" daemon "$marks" < /dev/null > /dev/null 2>&1 & ) ;;
    bare) ( env -i PATH="$PATH" $alone sh "$aside/child.sh" bare "$marks" < /dev/null > /dev/null 2>&1 & ) ;;
    deaf) trap '' TERM ;;
    fail-once)
      if [ ! -e "$aside/failed.$ORCH_WORKSTREAM.$index" ]; then
        : > "$aside/failed.$ORCH_WORKSTREAM.$index"
        note failed
        exit 3
      fi ;;
    fail) note failed; exit 3 ;;
    *) echo "no such move: $move" >&2; exit 64 ;;
  esac
done
note end
exit 0
`;

/** `child.sh <kind> <file of marks>`: lives until the file `over` is there, at most two minutes. */
const CHILD = `
aside=$(dirname "$0")
kind=$1
read -r ORCH_WORKSTREAM index ORCH_RUN ORCH_ATTEMPT ORCH_TOKEN < "$2" || exit 75
. "$aside/notes.sh"
case $kind in deaf | daemon) trap '' TERM ;; esac
trap '' HUP
note forked "$kind"
left=600
while [ ! -e "$aside/over" ] && [ "$left" -gt 0 ]; do
  sleep 0.2
  note beat
  left=$((left - 1))
done
`;

/** `check.sh <number> <file>…`: passes where all files are there with a nonce in them; `never` passes never. */
const CHECK = `
aside=$(dirname "$0")
index=0
number=$1
shift
. "$aside/notes.sh"
for file in "$@"; do
  if ! grep -q '^nonce:' "$file"; then
    note check "$number" fail
    exit 1
  fi
done
note check "$number" pass
`;

/** A hook of the user: nobody but the user's own git may run it. */
const HOOK = `#!/bin/sh
echo "$0" >> ASIDE/hooks
`;

/** File names beside the repository and their texts. */
export const SCRIPTS = { 'notes.sh': NOTES, 'task.sh': TASK, 'child.sh': CHILD, 'check.sh': CHECK } as const;

/** The text of a hook that notes its run in `aside`. */
export function hookText(aside: string): string {
  return HOOK.replace('ASIDE', `'${aside.replaceAll("'", "'\\''")}'`);
}
