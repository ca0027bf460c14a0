#!/usr/bin/env bash
# Installs Slurm for tests/slurm, where that is possible: as root, from Debian's or Ubuntu's packages. Exit code 1, with
# the reason, where it is not.
set -euo pipefail

has_all() { command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged; } >/dev/null

if has_all; then exit; fi
if [[ $(id -u) -ne 0 ]]; then
  echo 'Slurm is not installed, and installing it takes root.'
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo 'Slurm is not installed, and there is no apt-get to install it with.'
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install_packages() { apt-get install -qq -y --no-install-recommends slurmctld slurmd slurm-client munge; }
# Services that come with the packages are not wanted, and could not be started in a container.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { install_packages || { apt-get update -qq && install_packages; }; } >"$log" 2>&1 && ! has_all; then
  tail -n 3 "$log"
  echo 'The packages of Slurm could not be installed.'
  exit 1
fi
has_all
