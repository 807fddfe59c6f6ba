#!/usr/bin/env bash
# Runs a command and starts it again whenever it crashes: a supervisor from `nonet wait`, `signal` and `stop`.
#
#   examples/supervisor.sh COMMAND [ARGUMENT]...
#
# It prints the process that takes orders: signal that one HUP for a new worker, TERM for the end. Ends by itself when
# the command ends with status 0, or crashes five times without an order in between.
#
# A shell reaps its children when it likes, so that for an instant a number may be another's already. A program that
# uses nonet_process_spawn() has no such instant.
set -u
nonet=${NONET:-nonet}
grace=${GRACE:-5s}
most=5 crashes=0 worker='' control='' orders='' order=''

# Orders come as signals to a process of their own, and from there through a pipe: none is lost while the shell is busy.
listen() {
	exec {orders}< <(exec "$nonet" signal --wait --ready-fd 1 HUP TERM)
	# Its first line says that it takes them, and who it is.
	read -r control <&"$orders" || exit
	echo "supervisor: orders to $control"
}

start() {
	"$@" {orders}<&- &
	worker=$!
	echo "supervisor: worker pid:$worker"
}

end() {
	[[ -z $worker ]] || "$nonet" stop "pid:$worker" --grace "$grace" >/dev/null 2>&1
	[[ -z $control ]] || "$nonet" signal "$control" KILL 2>/dev/null
	worker='' control=''
}

trap end EXIT
listen
while true; do
	[[ -n $worker ]] || start "$@"
	# It fails if the worker is gone before it is looked at, which is as good.
	"$nonet" wait "fd:$orders" "pid:$worker" >/dev/null 2>&1
	if "$nonet" wait --timeout 0 "fd:$orders" >/dev/null 2>&1; then
		control='' order=''
		read -r order _ <&"$orders"
		exec {orders}<&-
		echo "supervisor: ${order:-no orders any more}"
		end
		[[ $order == SIGHUP ]] || exit 0
		crashes=0
		listen
		continue
	fi
	wait "$worker"
	status=$?
	echo "supervisor: worker pid:$worker ended with status $status"
	worker=''
	[[ $status -ne 0 ]] || exit 0
	((++crashes < most)) || exit 1
	# Not at once, or it would crash as fast as it can; an order ends the pause.
	"$nonet" wait --timeout "$((crashes * 20))ms" "fd:$orders" >/dev/null 2>&1
done
