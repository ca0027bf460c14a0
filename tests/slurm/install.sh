#!/usr/bin/env bash
# Installs Slurm for tests/slurm, where that is possible. Exit code 1, with the reason, where it is not.
set -euo pipefail

has_all() { command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged; } >/dev/null

if has_all; then exit; fi
# Services that come with the packages are not wanted: where they can't be started, as in a container, apt-get fails with
# the programs in place.
reason=$("$(dirname "$0")/../install-packages.sh" Slurm slurmctld slurmd slurm-client munge) || has_all || {
  echo "$reason"
  exit 1
}
