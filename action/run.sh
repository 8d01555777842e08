#!/usr/bin/env bash
# Run one reconcile command for action.yml. Inputs come in variables and end in an array: no shell reads them.
set -euo pipefail

home=${RUNNER_TEMP:?}/reconciler
fail() { echo "::error title=reconcile action::$1" && exit 3; }

# lines NAME: the lines of the variable NAME, without empty ones, into the array "found".
lines() {
  local line
  found=()
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    [[ -z $line ]] || found+=("$line")
  done <<<"${!1:-}"
}

# revision TEXT: refuse what git or reconcile would take for an option.
revision() { [[ $1 != -* && $1 != *$'\n'* && -n $1 ]] || fail "base and head take a revision each"; }

build_line() {
  local file positional=()
  case $INPUT_COMMAND in
  validate | check) line=("$INPUT_COMMAND") ;;
  diff)
    revision "${INPUT_BASE:-}" && revision "${INPUT_HEAD:-}"
    line=(diff --detailed-exitcode) positional=("$INPUT_BASE" "$INPUT_HEAD")
    ;;
  dry-run) line=(--dry-run --detailed-exitcode ${INPUT_PLAN:+"--out=$INPUT_PLAN"}) ;;
  apply) if [[ -n ${INPUT_PLAN:-} ]]; then line=("--plan=$INPUT_PLAN"); else line=(--yes); fi ;;
  *) fail "command takes validate, diff, check, dry-run, apply or publish" ;;
  esac
  lines INPUT_FILES
  for file in ${found[@]+"${found[@]}"}; do line+=("--file=$file"); done
  line+=(--output=github)
  for format in json markdown sarif junit; do line+=("--output-file=$format=$reports/report.$format"); done
  lines INPUT_ARGS
  line+=(${found[@]+"${found[@]}"})
  [[ ${#positional[@]} == 0 ]] || line+=(-- "${positional[@]}")
}

# The key is in a file of this user alone, named to reconcile, for as long as it runs.
key=
forget_key() { [[ -z $key ]] || rm -f -- "$key"; }
trap forget_key EXIT
keep_key() {
  case $INPUT_COMMAND in check | dry-run | apply) ;; *) fail "$INPUT_COMMAND works without keys: do not give it age-key" ;; esac
  key=$(umask 077 && mktemp "$home/age.XXXXXX")
  printf '%s\n' "$INPUT_AGE_KEY" >"$key" # a builtin of the shell: on no command line
  export SOPS_AGE_KEY_FILE=$key
}

# Runners take lines like "::stop-commands::" from standard error, too, where messages quote what a pull
# request wrote. Standard output is left alone: --output github puts its annotations there, escaped.
harmless() { sed -e 's/^[[:space:]]*::/stderr: &/' -e 's/##\[/# #[/g' >&2; }

# Without a report there is still something to post: "00000000" is whatever report of that command was before.
fall_back() {
  cat >"$reports/report.markdown" <<END
<!-- reconciler:$INPUT_COMMAND:00000000 -->
**reconcile: \`$INPUT_COMMAND\` ended with exit code $code** before there was a report. The log of the run says why.
END
  cat "$reports/report.markdown" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
}

tell() {
  local format changes=
  case $INPUT_COMMAND in diff | dry-run) case $code in 0) changes=false ;; 2) changes=true ;; *) changes=unknown ;; esac ;; esac
  echo "exit-code=$code"
  echo "has-changes=$changes"
  for format in json markdown sarif junit; do
    [[ ! -s $reports/report.$format ]] || echo "report-$format=$reports/report.$format"
  done
}

mkdir -p "$home"
reports=$(mktemp -d "$home/report.XXXXXX")
build_line
[[ -z ${INPUT_AGE_KEY:-} ]] || keep_key
unset INPUT_AGE_KEY
[[ ! -x $home/bin/sops ]] || export RECONCILER_SOPS=$home/bin/sops
cd -- "${INPUT_WORKING_DIRECTORY:-.}"

# In the background, so that a cancelled run tells reconcile to end in order instead of leaving it behind.
mkfifo "$reports/stderr"
harmless <"$reports/stderr" &
filter=$! code=0 stopped=
PYTHONSAFEPATH=1 "$home/venv/bin/reconcile" "${line[@]}" 2>"$reports/stderr" &
child=$!
trap 'stopped=1; kill -TERM "$child" 2>/dev/null || :' INT TERM HUP
wait "$child" || code=$?
[[ -z $stopped ]] || { code=0 && wait "$child" || code=$?; }
wait "$filter" || :
[[ -s $reports/report.markdown ]] || fall_back
tell >>"$GITHUB_OUTPUT"
echo "reconcile: exit code $code"
