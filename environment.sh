#!/usr/bin/env bash
# Makes Node and Python available on a cluster and sets the project up; `bash environment.sh -h` tells the rest.
# Sourced (`. environment.sh`, in a job's script) it only makes them available, and leaves the shell's options alone.
# shellcheck disable=SC2016 # Backticks stand around commands that are named.

if [ -z "${BASH_VERSION:-}" ]; then
  echo 'Error: environment.sh needs bash: `bash environment.sh`, or `. ./environment.sh` in bash.' >&2
  # shellcheck disable=SC2317 # `return` works where the file is sourced.
  return 2 2>/dev/null || exit 2
fi

deep_cnn_help() {
  cat <<'HELP'
Usage: bash environment.sh [options]     once, on a login node; safe to run again
       . environment.sh                  in a job's script: makes Node and Python available, and nothing else

Takes Node 20.19 or newer and Python 3 with pip from where they are: on PATH, a module, or an environment that conda or
mamba makes from environment.yml. Then sets the project up with CUDA and runs the tests.

  --cpu              TensorFlow for the processor, not for NVIDIA GPUs
  --weights MODEL    also fetch the pretrained weights of this model, for nodes without internet; can be repeated
  --no-tests         leave the tests out
  -h, --help         show this

Variables:
  MODULES            the modules to load, such as "nodejs/22.4 python/3.11"; empty loads none. A CUDA module is not
                     needed: its libraries come with TensorFlow, and only the driver is the machine's
  CONDA_ENV          the folder of the conda environment (default: .cache/conda in the project)
  DEEP_CNN_CACHE     the folder for large files (default ~/.cache/deep-cnn): set it where your home is small
HELP
}

deep_cnn_complain() { printf '%s\n' "$*" >&2; }

deep_cnn_node_fits() { # also npm, which comes with it
  local version
  version=$(node --version 2>/dev/null) || return 1
  [[ $version =~ ^v([0-9]+)\.([0-9]+)\. ]] || return 1
  ((BASH_REMATCH[1] > 20 || (BASH_REMATCH[1] == 20 && BASH_REMATCH[2] >= 19))) && command -v npm >/dev/null
}

deep_cnn_python_fits() {
  [[ $(python3 -c 'import sys; print(sys.version_info[0])' 2>/dev/null) == 3 ]] || return 1
  python3 -m pip --version >/dev/null 2>&1 || pip3 --version >/dev/null 2>&1
}

deep_cnn_fits() { deep_cnn_node_fits && deep_cnn_python_fits; }

# The shell of a job may not have read what defines `module`.
deep_cnn_has_module() {
  local file
  if ! type module >/dev/null 2>&1; then
    for file in ${MODULESHOME:+"$MODULESHOME/init/bash"} ${LMOD_PKG:+"$LMOD_PKG/init/bash"} \
      /etc/profile.d/{modules,lmod,z00_lmod}.sh /usr/share/{modules,Modules,lmod/lmod}/init/bash; do
      # shellcheck disable=SC1090 # Which there is, is the cluster's.
      if [[ -r $file ]]; then . "$file" >/dev/null 2>&1 && break; fi
    done
  fi
  type module >/dev/null 2>&1
}

# Loads the first of these modules after which TEST succeeds. `module` may succeed without having done anything.
deep_cnn_try_modules() { # TEST NAME...
  local fits=$1 name
  shift
  "$fits" && return
  for name in "$@"; do
    module load "$name" >/dev/null 2>&1
    "$fits" && return
    module unload "$name" >/dev/null 2>&1
  done
  return 1
}

deep_cnn_load_modules() {
  local name
  if [[ -n ${MODULES+set} ]]; then
    for name in $MODULES; do
      if ! module load "$name"; then
        deep_cnn_complain "Error: there is no module $name, which MODULES names; \`module avail\` shows those there are."
        return 2
      fi
    done
    return 0
  fi
  # What was found and tested once is taken again.
  if [[ -r $deep_cnn_record ]]; then
    while IFS= read -r name; do module load "$name" >/dev/null 2>&1; done <"$deep_cnn_record"
  fi
  deep_cnn_try_modules deep_cnn_node_fits nodejs node NodeJS Node.js nodejs/22 nodejs/20 node/22 node/20
  deep_cnn_try_modules deep_cnn_python_fits python3 python Python python/3.11 python/3
  return 0
}

deep_cnn_find_conda() {
  local name folder
  for name in mamba conda micromamba; do
    # `conda` is often a shell function; a file is wanted.
    type -P "$name" && return
  done
  if [[ -n ${CONDA_EXE:-} && -x $CONDA_EXE ]]; then
    echo "$CONDA_EXE"
    return
  fi
  for folder in ~/miniforge3 ~/mambaforge ~/miniconda3 ~/anaconda3; do
    if [[ -x $folder/bin/conda ]]; then
      echo "$folder/bin/conda"
      return
    fi
  done
  return 1
}

deep_cnn_has_conda() { deep_cnn_find_conda >/dev/null; }

deep_cnn_make_conda() {
  local prefix=$1 conda
  if type module >/dev/null 2>&1 && [[ -z ${MODULES+set} ]]; then
    deep_cnn_try_modules deep_cnn_has_conda miniforge miniforge3 mamba miniconda3 miniconda anaconda3/personal anaconda3 anaconda conda
  fi
  conda=$(deep_cnn_find_conda) || return 1
  echo "Making an environment with ${conda##*/} in $prefix ..."
  # Without its mark it is one that was broken off.
  rm -rf -- "$prefix"
  mkdir -p -- "$(dirname -- "$prefix")"
  export CONDA_ALWAYS_YES=true MAMBA_ALWAYS_YES=true
  if [[ ${conda##*/} == micromamba ]]; then
    "$conda" create --yes --prefix "$prefix" --file "$deep_cnn_project/environment.yml" </dev/null
  else
    "$conda" env create --prefix "$prefix" --file "$deep_cnn_project/environment.yml" </dev/null
  fi || return
  : >"$prefix/.complete"
}

# Makes Node and Python available in this shell. With `make`, an environment is made where there is no other way.
deep_cnn_find_tools() { # [make]
  local prefix=${CONDA_ENV:-$deep_cnn_project/.cache/conda}
  if [[ -f $prefix/.complete && -z ${MODULES:-} ]]; then PATH=$prefix/bin:$PATH; fi
  if [[ -n ${MODULES:-} ]] || ! deep_cnn_fits; then
    if deep_cnn_has_module; then
      deep_cnn_load_modules || return
    elif [[ -n ${MODULES:-} ]]; then
      deep_cnn_complain "Error: MODULES names $MODULES, but there is no \`module\` command here. Leave MODULES out."
      return 2
    fi
  fi
  if [[ ${1:-} == make ]] && ! deep_cnn_fits && deep_cnn_make_conda "$prefix"; then PATH=$prefix/bin:$PATH; fi
  hash -r
  export PATH
  # A job needs Node alone; Python is for the set-up.
  if ! deep_cnn_node_fits; then
    deep_cnn_complain "Error: there is no Node 20.19 or newer with npm here (found: $(node --version 2>/dev/null || echo none)). $(deep_cnn_advice "${1:-}")"
    return 2
  fi
  if [[ ${1:-} == make ]] && ! deep_cnn_python_fits; then
    deep_cnn_complain "Error: there is no Python 3 with pip here. $(deep_cnn_advice make)"
    return 2
  fi
}

deep_cnn_advice() {
  if [[ $1 == make ]]; then
    echo 'Name modules that have them, as `module avail` shows them (MODULES="nodejs python" bash environment.sh), or install Miniforge and start again.'
  else
    echo 'Run `bash environment.sh` on a login node first.'
  fi
}

# Neither modules nor conda bear a shell that stops at unset variables, which the caller's may be.
deep_cnn_with_plain_options() {
  local flags=$- pipefail=+o status
  if [[ -o pipefail ]]; then pipefail=-o; fi
  set +eu +o pipefail
  "$@"
  status=$?
  set "$pipefail" pipefail
  if [[ $flags == *u* ]]; then set -u; fi
  if [[ $flags == *e* ]]; then set -e; fi
  return "$status"
}

deep_cnn_set_up() {
  local variant=--cuda tests=1 weights=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      -h | --help)
        deep_cnn_help
        return
        ;;
      --cpu | --cuda) variant=$1 ;;
      --no-tests) tests=0 ;;
      --weights=*) weights+=("${1#*=}") ;;
      --weights)
        if [[ -z ${2:-} ]]; then
          deep_cnn_complain 'Error: --weights needs a model after it, such as resnet101.'
          return 2
        fi
        weights+=("$2")
        shift
        ;;
      *)
        deep_cnn_complain "Error: there is no option \`$1\`; \`bash environment.sh -h\` shows those there are."
        return 2
        ;;
    esac
    shift
  done
  cd -- "$deep_cnn_project" || return

  deep_cnn_with_plain_options deep_cnn_find_tools make || return
  echo "Node $(node --version) ($(command -v node)), $(python3 --version) ($(command -v python3))"
  mkdir -p .cache
  # For jobs, whose shells begin with no module or with others.
  if [[ -n ${LOADEDMODULES:-} ]]; then printf '%s\n' "${LOADEDMODULES//:/$'\n'}" >"$deep_cnn_record"; fi
  deep_cnn_step 'set-up' npm run --silent setup -- "$variant" || return
  if [[ ${#weights[@]} -gt 0 ]]; then
    deep_cnn_step 'download of the weights' node dist/cli.js weights download "${weights[@]}" || return
  fi
  if [[ $tests -eq 1 ]]; then deep_cnn_step 'tests' npm test --silent || return; fi
  echo 'All is ready. In a job, `. environment.sh` makes it available.'
}

deep_cnn_step() { # NAME COMMAND...
  local name=$1 status=0
  shift
  echo "== $name: $*"
  "$@" || status=$?
  if [[ $status -ne 0 ]]; then deep_cnn_complain "Error: the $name failed (see above). Mend it and run environment.sh again."; fi
  return "$status"
}

deep_cnn_project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
deep_cnn_record=$deep_cnn_project/.cache/modules

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set +o posix -euo pipefail
  deep_cnn_set_up "$@"
  exit
fi
deep_cnn_status=0
deep_cnn_with_plain_options deep_cnn_find_tools || deep_cnn_status=$?
# Nothing of this file stays in the shell but what it has made available.
# shellcheck disable=SC2046 # Names of functions.
unset -f $(compgen -A function deep_cnn_)
unset deep_cnn_project deep_cnn_record
eval "unset deep_cnn_status; return $deep_cnn_status"
