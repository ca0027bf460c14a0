#!/usr/bin/env bash
# Installs what tests/page needs where that is possible: Chromium, unless it or Chrome is there, and Firefox with a screen
# that nobody sees. Exit code 1, with the reason, where there is no Chromium; tests in Firefox are skipped by themselves.
set -euo pipefail

packages() { "$(dirname "$0")/../install-packages.sh" "$@"; }
# Ubuntu's package of this name only points to another store.
runs() { chromium --version || google-chrome --version; } >/dev/null 2>&1

if ! firefox-esr --version >/dev/null 2>&1; then
  packages Firefox firefox-esr xvfb libegl1 libgl1-mesa-dri || echo 'The tests that need it are skipped.'
fi
if runs; then exit; fi
packages Chromium chromium
runs || { echo 'The package of Chromium has none that runs.'; exit 1; }
