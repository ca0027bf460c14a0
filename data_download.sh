#!/usr/bin/env bash
#PBS -S /bin/bash
#PBS -N data_download
#PBS -j oe
#PBS -l walltime=08:00:00
#PBS -l select=1:ncpus=1:mem=2gb
#SBATCH --job-name=data_download
#SBATCH --time=08:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
# Downloads Places365 and unpacks the classes that input/keep.txt names; `bash data_download.sh -h` tells the rest.
#
# What is in its final place is whole: a download grows as *.part, and classes are unpacked into a folder of their own,
# from which each is renamed into place, `val` first. So a class is done when its folder in `train` is there.
set +o posix -euo pipefail

readonly default_url=http://data.csail.mit.edu/places/places365/places365standard_easyformat.tar
readonly places_classes=365

show_help() {
  cat <<HELP
Usage: bash data_download.sh [options]     also: qsub data_download.sh, sbatch data_download.sh

Downloads Places365 (26 GB), unpacks the classes that input/keep.txt names (all when there is no such file) and deletes
the archive. Safe to stop and to run again: it goes on where it was, and when all is there it says so.

  --input FOLDER     where the data goes (default: the project's input folder)
  --keep FILE        the classes, one a line, # for comments (default: keep.txt in the input folder)
  --archive FILE     unpack this archive, which somebody has downloaded already, and leave it where it is
  --stream           unpack while downloading: the archive takes no room, but a job that is stopped starts again
  --keep-archive     leave the archive there afterwards
  --prune [FOLDER]   download nothing; delete the class folders that the file above does not name
                     (default: places365standard_easyformat/places365_standard in the input folder)
  --yes              do not ask before deleting
  -h, --help         show this

Variables, which \`qsub -v NAME=value\` and \`sbatch --export=ALL,NAME=value\` hand to a job:
  DATA_URL                 another source
  DATA_MD5, DATA_SHA256    the archive's checksum, which is then verified
  INPUT_DIR, KEEP_FILE, ARCHIVE, STREAM=1, KEEP_ARCHIVE=1    as the options
  FORCE=1                  go on though the disk seems too small
  RETRIES, RETRY_SECONDS   tries in a row that get nothing (10), and the first pause between them (5, then doubled)

Exit codes: 0, all is there; 2, a mistake to mend; 75, run it again to go on (network, full disk, stopped).
HELP
}

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
fail() { # a mistake of the user's
  complain "Error: $*"
  exit 2
}
stop() { # a later run can go on
  complain "Stopped: $*"
  exit 75
}
has() { command -v "$1" >/dev/null 2>&1; }
size_of() { if [[ -f $1 ]]; then stat -L -c %s -- "$1"; else echo 0; fi; }
human() { awk -v n="$1" 'BEGIN { split("B kB MB GB TB", unit); i = 1; while (n >= 999.5 && i < 5) { n /= 1000; i++ }
  printf(i == 1 || n >= 99.5 ? "%.0f %s" : "%.1f %s", n, unit[i]) }'; }
is_true() { [[ ${1:-} == 1 || ${1:-} == [Tt]rue || ${1:-} == [Yy]es ]]; }

main() {
  find_project
  load_parts
  read_options "$@"
  check_tools
  archive=$input/places365standard_easyformat.tar
  part=$archive.part
  source_record=$archive.source
  work=$input/.data_download
  dest=$input/places365standard_easyformat
  tree=$dest/places365_standard
  if [[ $mode == prune ]]; then
    prune
    return
  fi

  make_folders
  lock
  trap clean_up EXIT
  trap 'exit 130' INT
  trap heed_signal TERM HUP
  rm -rf -- "$dest/.unpacking"
  read_wanted
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "${wanted_text^} there already: $tree"
    discard_archive
    return
  fi
  say "To unpack: $missing_text, into $tree"

  if [[ -n $own_archive ]]; then
    unpack_file "$own_archive"
  elif [[ -f $archive ]]; then
    say "Using $archive, which is there already."
    unpack_file "$archive"
  elif [[ $mode == stream ]]; then
    ask_server
    check_disk
    unpack_stream
  else
    ask_server
    check_disk
    download
    verify_checksum "$part"
    mv -- "$part" "$archive"
    unpack_file "$archive"
  fi
  move_into_place
  report
}

# Under PBS and Slurm this is a copy in a spool folder: the project is where it was submitted.
find_project() {
  project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]:-$0}")" && pwd)
  local submitted=${PBS_O_WORKDIR:-${SLURM_SUBMIT_DIR:-}}
  if [[ -n $submitted ]] && [[ ${PBS_ENVIRONMENT:-} == PBS_BATCH || ! -d $project/scripts/data-download ]]; then
    cd -- "$submitted" || fail "the folder it was submitted in, $submitted, is not there on this node."
  fi
  if [[ ! -d $project/scripts/data-download ]]; then project=$PWD; fi
  [[ -d $project/scripts/data-download ]] || fail "$project is not the project's folder. Submit the job from there."
}

# shellcheck source-path=SCRIPTDIR/scripts/data-download
load_parts() {
  local parts=$project/scripts/data-download
  . "$parts/classes.sh"
  . "$parts/lock.sh"
  . "$parts/server.sh"
  . "$parts/download.sh"
  . "$parts/progress.sh"
  . "$parts/unpack.sh"
  . "$parts/stream.sh"
  . "$parts/prune.sh"
}

read_options() {
  url=${DATA_URL:-$default_url}
  input=${INPUT_DIR:-}
  keep=${KEEP_FILE:-}
  own_archive=${ARCHIVE:-}
  mode=download prune_folder='' yes=0 keep_archive=0
  if is_true "${STREAM:-}"; then mode=stream; fi
  if is_true "${KEEP_ARCHIVE:-}"; then keep_archive=1; fi
  while [[ $# -gt 0 ]]; do
    case $1 in
      -h | --help)
        show_help
        exit 0
        ;;
      --input=* | --keep=* | --archive=* | --prune=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
      --input | --keep | --archive)
        [[ -n ${2:-} ]] || fail "$1 needs a path after it."
        case $1 in
          --input) input=$2 ;;
          --keep) keep=$2 ;;
          --archive) own_archive=$2 ;;
        esac
        shift
        ;;
      --prune)
        mode=prune
        if [[ -n ${2:-} && $2 != --* ]]; then
          prune_folder=$2
          shift
        fi
        ;;
      --stream) mode=stream ;;
      --keep-archive) keep_archive=1 ;;
      --yes) yes=1 ;;
      *) fail "there is no option \`$1\`; \`bash data_download.sh -h\` shows those there are." ;;
    esac
    shift
  done
  input=$(absolute "${input:-$project/input}")
  if [[ -n $keep && ! -f $keep ]]; then fail "there is no file $keep (--keep)."; fi
  keep=$(absolute "${keep:-$input/keep.txt}")
  if [[ -n $own_archive ]]; then
    [[ -r $own_archive && -f $own_archive ]] || fail "there is no file $own_archive that can be read (--archive)."
    own_archive=$(absolute "$own_archive")
  fi
  local name
  for name in RETRIES RETRY_SECONDS LOCK_SECONDS; do
    [[ ${!name:-0} =~ ^[0-9]+$ ]] || fail "$name must be a whole number, not \`${!name}\`."
  done
  if [[ $mode == stream && -n ${DATA_MD5:-}${DATA_SHA256:-} ]]; then
    fail "--stream keeps no archive whose checksum could be verified: leave out DATA_MD5 and DATA_SHA256, or --stream."
  fi
}

absolute() { case $1 in /*) printf '%s\n' "${1%/}" ;; *) printf '%s\n' "$PWD/${1%/}" ;; esac }

check_tools() {
  local tool lacking=()
  for tool in awk df find stat; do has "$tool" || lacking+=("$tool"); done
  if [[ $mode != prune ]]; then
    tar --version 2>/dev/null | grep -q 'GNU tar' || lacking+=('GNU tar')
    if [[ -z $own_archive ]] && ! has curl && ! has wget; then lacking+=('curl or wget'); fi
    if [[ -n ${DATA_MD5:-} ]]; then has md5sum || lacking+=(md5sum); fi
    if [[ -n ${DATA_SHA256:-} ]]; then has sha256sum || lacking+=(sha256sum); fi
  fi
  if [[ ${#lacking[@]} -gt 0 ]]; then
    fail "this needs $(join "${lacking[@]}"), which is not on PATH here. Install it, or load the module that has it."
  fi
}

join() { # A B C -> A, B, C
  local text
  printf -v text ', %s' "$@"
  printf '%s' "${text#, }"
}

count() { if [[ $1 -eq 1 ]]; then echo "1 $2"; else echo "$1 $3"; fi; }

main "$@"
exit
