#!/usr/bin/env bash
# run.sh BUILD [ARG...] - BUILD/bench/peers/nonet-bench-peers ARG..., and iceoryx's daemon meanwhile, if that is asked for
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
build=$1
shift
driver=$build/bench/peers/nonet-bench-peers

# Whether iceoryx is named, or no peer is, which means all of them.
wants_iceoryx() {
	local names word none=true
	names=" $("$driver" --list | cut -f 1 | tr '\n' ' ')"
	for word in "$@"; do
		[[ $word != iceoryx ]] || return 0
		[[ $names != *" $word "* ]] || none=false
	done
	$none
}

# The daemon writes a line once it can be talked to; before, a process that wants it would end.
start_roudi() {
	local line
	exec {output}< <(exec iox-roudi --config-file "$here/roudi.toml" 2>&1)
	roudi=$!
	trap 'kill "$roudi" 2>/dev/null || true; while read -r -t 20 -u "$output" _; do :; done' EXIT
	while read -r -t 20 -u "$output" line; do
		[[ $line != *"ready for clients"* ]] || return 0
		said=$line
	done
	echo "iox-roudi didn't start: ${said:-it said nothing}" >&2
}

if [[ -e $build/bench/peers/peer-iceoryx.so ]] && command -v iox-roudi >/dev/null && wants_iceoryx "$@"; then
	start_roudi
fi
"$driver" "$@"
