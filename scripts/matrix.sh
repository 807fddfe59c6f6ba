#!/usr/bin/env bash
# ./dev test --all: build and test each variant, then say how much passed. The last line is
# "N passed, N failed" or "N passed, N failed, N skipped"; the status is 0 only if nothing failed.
set -uo pipefail

export NONET_SCALE=${NONET_SCALE:-0.1}
# Root can run everything, so a test that skips has found a machine that isn't what the tests are meant to run on.
[[ $(id -u) -ne 0 ]] || export NONET_TEST_NO_SKIP=1
# A sanitizer's report ends the process by SIGABRT: an exit status could be one that a test expects.
# Soft: what tests core dumps raises it again.
ulimit -S -c 0
export ASAN_OPTIONS=abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1

logs=()

# variant NAME CC SETUP-ARG... -- TEST-ARG...
variant() {
	local name=$1 cc=$2 dir=build-$1 setup=() status=0
	shift 2
	while [[ $1 != -- ]]; do
		setup+=("$1")
		shift
	done
	shift
	echo "== $name"
	rm -f "$dir/meson-logs/testlog.json"
	if [[ ! -f $dir/build.ninja ]]; then
		CC=$cc meson setup "$dir" --werror "${setup[@]}" || status=$?
	fi
	[[ $status -ne 0 ]] || meson compile -C "$dir" --ninja-args=-k0 || status=$?
	# Builds the tests, which aren't built by default.
	[[ $status -ne 0 ]] || meson test -C "$dir" --print-errorlogs "$@" || status=$?
	logs+=("$name=$status=$dir/meson-logs/testlog.json")
}

variant gcc gcc --
variant clang clang -Dbench=false -- --suite unit --suite conform
variant sanitize clang -Dbench=false -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fno-sanitize-recover=all -- \
	--no-suite lint --no-suite model --no-suite rows --timeout-multiplier 3

python3 scripts/summary.py "${logs[@]}"
