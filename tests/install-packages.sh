#!/usr/bin/env bash
# install-packages.sh NAME PACKAGE...: installs Debian's or Ubuntu's packages of a program, as root. Exit code 1, with the
# reason, where it can't. Whether the program then runs is for the caller to see.
set -euo pipefail
name=$1
shift

if [[ $(id -u) -ne 0 ]]; then
  echo "$name is not installed, and installing it takes root."
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "$name is not installed, and there is no apt-get to install it with."
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -qq -y --no-install-recommends "$@"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { install "$@" || { apt-get update -qq && install "$@"; }; } >"$log" 2>&1; then
  tail -n 3 "$log"
  echo "The packages of $name could not be installed."
  exit 1
fi
