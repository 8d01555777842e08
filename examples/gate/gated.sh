#!/bin/sh
# Runs a bot only while its gate is open:   gated.sh STRATEGY COMMAND [ARGUMENT...]
#
# Closed at the start: the bot does not start, and this exits as `reconcile gate` does (5: may not run, 1: nobody
# can tell). Closed later: the bot is told to end (TERM) and waited for, however long it takes; then this exits
# with 5. Signals go on to the bot, each once; INT as TERM, since a shell starts what it puts beside itself deaf
# to INT. Otherwise this ends as the bot does.
#
#   GATE_INTERVAL  seconds between two looks (15); a look takes a fifth of a second
#   GATE_PATIENCE  looks in a row that nobody can answer before that counts as closed (4); "may not" counts at once
#   RECONCILER_STATE, RECONCILER_MAX_AGE   as for every command
set -u

[ "$#" -ge 2 ] || { echo "usage: gated.sh STRATEGY COMMAND [ARGUMENT...]" >&2; exit 3; }
strategy=$1
shift

bot='' told='' closed='' cut=''

# shellcheck disable=SC2329 # traps call it
forward() { # to the bot, or kept for it until it is there
  cut=1
  if [ -n "$bot" ]; then kill -s "$1" "$bot" 2>/dev/null; else told="$told $1"; fi
}

watch() { # ends by telling the shell that started it that the gate is closed
  unanswered=0
  trap '' HUP # that is for the bot
  while :; do
    sleep "${GATE_INTERVAL:-15}" >/dev/null 2>&1 # may outlive the bot by so long, and holds nothing open
    reconcile gate "$strategy" --running >/dev/null
    case $? in
      0) unanswered=0 ;;
      5) break ;;
      *) unanswered=$((unanswered + 1)); [ "$unanswered" -lt "${GATE_PATIENCE:-4}" ] || break ;;
    esac
  done
  echo "gated.sh: the gate of $strategy is closed; its bot is told to end" >&2
  kill -s USR1 "$$"
}

trap 'forward TERM' TERM INT
trap 'forward HUP' HUP
trap 'closed=1; forward TERM' USR1

reconcile gate "$strategy" || exit
[ -z "$told" ] || exit 143 # told to end before there was anything to start

"$@" & started=$!
sleep 1 # what was forked a moment ago may lose a signal; one that comes now is kept, and sent after this
bot=$started
for one in $told; do kill -s "$one" "$bot" 2>/dev/null; done
watch & watcher=$!

code=127
while :; do # a signal cuts the wait short; what the bot ends with is asked for again then
  cut=''
  wait "$bot"
  got=$?
  [ "$got" -eq 127 ] || code=$got
  [ -n "$cut" ] || break
done
kill -s KILL "$watcher" 2>/dev/null # a shell that was just started may lose any other signal
[ -z "$closed" ] || exit 5
exit "$code"
