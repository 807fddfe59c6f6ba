#!/usr/bin/env bash
# Five licences for as many scripts as like to run: each takes one for as long as its work lasts, and waits if all are
# out. A script that is killed, even by SIGKILL, gives its licence back without a word.
#
#   examples/licences.sh [SCRIPTS]
set -u
nonet=${NONET:-nonet}
scripts=${1:-12}
licences=5

# A domain of our own, so that it can be removed at the end; usually semaphore:licences would do.
folder=$(mktemp -d /dev/shm/nonet-licences-XXXXXX) || exit 1
pool=semaphore:$folder/licences
trap 'rm -r "$folder"' EXIT

"$nonet" create --value "$licences" "$pool" || exit 1

# Each leaves its mark while it works, and counts those that are there: never more than there are licences.
# shellcheck disable=SC2016 # for the inner shell
work='
	touch "$0/at-work.$$"
	set -- "$0"/at-work.*
	echo $#
	rm "$0/at-work.$$"'
for ((i = 0; i < scripts; i++)); do
	"$nonet" lock --timeout 60s "$pool" -- sh -c "$work" "$folder" >"$folder/most.$i" &
done

# One more that never comes to its end by itself: it is killed with a licence.
# shellcheck disable=SC2016 # for the inner shell
"$nonet" lock "$pool" -- sh -c 'kill -9 $PPID' 2>/dev/null
wait

most=$(sort -n "$folder"/most.* | tail -n 1)
echo "$scripts scripts, at most $most at a time"
((most <= licences)) || exit 1

# All five are back: that many can be had at once, and no sixth.
all=("$nonet" lock --timeout 0 "$pool" --)
"${all[@]}" "${all[@]}" "${all[@]}" "${all[@]}" "${all[@]}" echo "all $licences licences are back"
