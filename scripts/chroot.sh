#!/usr/bin/env bash
# Show that ./dev needs nothing but git and bash: in a bare Debian 12, clone this repository's HEAD and run one verb of
# ./dev as the only command; then once more with an apt-get that refuses, since nothing is missing any more.
#
# usage: ./dev chroot [VERB...]     run and test, unless told otherwise; each in a fresh system
#
# All mounts are made in a mount namespace of its own and all processes in a PID namespace: however this ends, the
# kernel takes both back, and no mount is ever seen by the `rm` that removes the directory.
set -euo pipefail

suite=bookworm

# What the host's apt uses for Debian, as one-line sources; the plain mirror if it can't tell.
sources() {
	local lines
	lines=$(apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep " $suite" | sort -u) || true
	echo "${lines:-deb http://deb.debian.org/debian $suite main}"
}

# How the host's apt gets through its network: proxies, retries, and whether a frozen mirror may be old.
settings() {
	apt-config dump |
		grep -Ei '^Acquire::([a-z]+::(Proxy|Timeout|Verify-[a-z]+|Pipeline-Depth)|Retries|Check-[a-z-]+)\b' || true
}

bootstrap() {
	local root=$1 include=git,bash
	! grep -q ' https:' "$work/sources.list" || include+=,ca-certificates
	mmdebstrap --quiet --variant=minbase --include="$include" --aptopt="$work/apt.conf" "$suite" "$root" \
		"$work/sources.list"
	cp "$work/apt.conf" "$root/etc/apt/apt.conf.d/50network"
	cat /etc/resolv.conf >"$root/etc/resolv.conf"
	cat /etc/hosts >"$root/etc/hosts"
	! chroot "$root" bash -c 'command -v gcc || command -v python3 || command -v meson' || {
		echo "The system isn't bare." >&2
		exit 1
	}
}

# As a container or a virtual machine would give it.
mounts() {
	local root=$1 node
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
	mount -t mqueue mqueue "$root/dev/mqueue"
	for node in null:3 zero:5 full:7 random:8 urandom:9; do
		mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
	done
	mknod -m 666 "$root/dev/tty" c 5 0
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s fd/0 "$root/dev/stdin"
	ln -s fd/1 "$root/dev/stdout"
	ln -s fd/2 "$root/dev/stderr"
}

inside() {
	chroot "$root" env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" bash -c "$1" </dev/null
}

# In the namespaces: one verb in one fresh system.
try() {
	local verb=$1 root=$2 left
	mounts "$root"
	inside "git clone --quiet /srv/nonet.git /root/nonet && cd /root/nonet && ./dev $verb"
	left=$(cat /proc/[0-9]*/comm | grep -vxE 'bash|chroot.sh|cat|grep' || true)
	[[ -z $left ]] || {
		echo "./dev $verb left processes behind: $left" >&2
		exit 1
	}
	printf '#!/bin/sh\necho "apt-get was called: $*" >&2\nexit 99\n' >"$root/usr/local/sbin/apt-get"
	chmod 755 "$root/usr/local/sbin/apt-get"
	inside "cd /root/nonet && ./dev $verb"
}

# unshare ignores SIGINT and SIGTERM; its death is the death of the namespace's first process, and so of all in it.
# shellcheck disable=SC2317  # called by the trap
cleanup() {
	local left=50
	[[ -z $child ]] || kill -KILL "$child" 2>/dev/null || true
	# What is dying may still be writing.
	until rm -rf --one-file-system "$work" 2>/dev/null || [[ $((left -= 1)) -eq 0 ]]; do
		sleep 0.1
	done
}

if [[ ${1:-} == --try ]]; then
	# procfs of the new PID namespace, for the look at what was left.
	mount -t proc proc /proc
	try "$2" "$3"
	exit
fi

[[ $(id -u) -eq 0 ]] || {
	echo "A chroot and its mounts take root." >&2
	exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}" nonet-chroot.XXXXXX)
child=
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
chmod 711 "$work"
sources >"$work/sources.list"
settings >"$work/apt.conf"
[[ -z $(git status --porcelain) ]] || echo "Note: what isn't committed isn't tried." >&2

echo "== a bare $suite"
bootstrap "$work/bare"
git clone --quiet --bare . "$work/bare/srv/nonet.git"

[[ $# -gt 0 ]] || set -- run test
failed=0
for verb in "$@"; do
	echo "== ./dev $verb"
	start=$SECONDS
	cp -a "$work/bare" "$work/fresh"
	unshare --mount --propagation private --pid --ipc --fork --kill-child \
		"$PWD/scripts/chroot.sh" --try "$verb" "$work/fresh" &
	child=$!
	if wait "$child"; then
		echo "== ./dev $verb works in a bare $suite ($((SECONDS - start)) s)"
	else
		echo "== ./dev $verb FAILS in a bare $suite"
		failed=1
	fi
	child=
	rm -rf --one-file-system "$work/fresh"
done
exit "$failed"
