#!/usr/bin/env bash
# Install Debian packages for ./dev: as root, else through sudo, else say the command that does it.
set -euo pipefail

if [[ $(id -u) -ne 0 ]]; then
	if command -v sudo >/dev/null && sudo -- "$0" "$@"; then
		exit 0
	fi
	echo "Packages are missing, and installing them takes root. Run this, then try again:" >&2
	echo "  apt-get update && apt-get install --yes --no-install-recommends $*" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
install=(apt-get install --yes --quiet --no-install-recommends "$@")

# A package that brings a daemon asks policy-rc.d(8) whether to start it: 101 means no.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

echo "Installing: $*" >&2
# Lists that are missing don't know the package, old ones know a version that is gone.
{ apt-cache show "$@" >/dev/null 2>&1 && "${install[@]}"; } || { apt-get update --quiet && "${install[@]}"; }

# Nor shall it start at the next boot.
for package in "$@"; do
	if [[ $package == redis-server ]] && command -v systemctl >/dev/null; then
		systemctl disable --quiet redis-server.service || true
	fi
done
