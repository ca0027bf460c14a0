#!/usr/bin/env bash
# Installs Chromium for tests/page where neither it nor Chrome is there and that is possible. Exit code 1, with the reason,
# where it is not.
set -euo pipefail

# Ubuntu's package of this name only points to another store.
runs() { chromium --version || google-chrome --version; } >/dev/null 2>&1

if runs; then exit; fi
"$(dirname "$0")/../install-packages.sh" Chromium chromium
runs || { echo 'The package of Chromium has none that runs.'; exit 1; }
