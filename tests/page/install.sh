#!/usr/bin/env bash
# Installs Chromium for tests/page where neither it nor Chrome is there and that is possible: as root, from Debian's
# packages. Exit code 1, with the reason, where it is not.
set -euo pipefail

# Ubuntu's package of this name only points to another store.
runs() { chromium --version || google-chrome --version; } >/dev/null 2>&1

if runs; then exit; fi
if [[ $(id -u) -ne 0 ]]; then
  echo 'Chromium is not installed, and installing it takes root.'
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo 'Chromium is not installed, and there is no apt-get to install it with.'
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install_package() { apt-get install -qq -y --no-install-recommends chromium; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { { install_package || { apt-get update -qq && install_package; }; } >"$log" 2>&1 && runs; }; then
  tail -n 3 "$log"
  echo 'The package of Chromium could not be installed.'
  exit 1
fi
