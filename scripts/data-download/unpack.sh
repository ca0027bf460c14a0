# Checks the archive, unpacks the classes in one pass over it, and puts them in their place.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

# A tar archive says at its start what it is, and ends with two blocks of zeros. A page with an error is none.
is_whole() {
  local size
  size=$(size_of "$1")
  [[ $size -ge 1536 && $((size % 512)) -eq 0 ]] || return 1
  [[ $(tail -c +258 -- "$1" 2>/dev/null | head -c 5) == ustar ]] || return 1
  [[ $(tail -c 1024 -- "$1" | tr -d '\0' | wc -c) -eq 0 ]]
}

verify_checksum() {
  verify_with md5sum MD5 "${DATA_MD5:-}" "$1"
  verify_with sha256sum SHA256 "${DATA_SHA256:-}" "$1"
}

verify_with() { # PROGRAM NAME EXPECTED FILE
  if [[ -z $3 ]]; then return; fi
  say "Verifying the $2 checksum ..."
  local found
  found=$("$1" <"$4" 9>&-)
  found=${found%% *}
  if [[ $found != "${3,,}" ]]; then
    fail "the $2 checksum of $4 is $found, not ${3,,}. Correct DATA_$2, or delete the file to download it again."
  fi
}

# Only what was downloaded here is deleted.
discard_archive() {
  if [[ -f $archive && -f $source_record && $keep_archive -eq 0 ]]; then rm -f -- "$archive"; fi
  if [[ -f $archive ]]; then
    say "The archive stays: $archive"
  else
    rm -f -- "$part" "$source_record"
  fi
}

unpack_file() {
  if ! is_whole "$1"; then
    local mend='Delete it to download it again'
    if [[ $1 == "$archive" ]]; then mend="Rename it to $part to go on with its download, or delete it"; fi
    fail "$1 is no whole tar archive. $mend."
  fi
  if [[ $1 != "$archive" || ! -f $source_record ]]; then verify_checksum "$1"; fi
  prepare_unpacking
  total=$(size_of "$1")
  run_tar "$1" -f "$1"
}

prepare_unpacking() {
  stage=$dest/.unpacking
  mkdir -p -- "$stage"
  if [[ ${missing[0]} == '*' ]]; then
    printf '%s\n' train val
  else
    printf 'train/%s\n' "${missing[@]}"
    printf 'val/%s\n' "${missing[@]}"
  fi >"$work/patterns"
}

# Reads the archive once, from start to end. NAME for messages, then tar's options that say where it is.
run_tar() {
  local name=$1 pid status=0
  shift
  # For who looks into it before tar has opened it.
  : >"$work/log"
  # New times (-m), since many clusters delete files that look old. Blocks of 1 MiB, which are also the checkpoint's unit.
  LC_ALL=C tar -x -m -b 2048 --force-local --checkpoint=50 --checkpoint-action='echo=@%u' --no-same-owner --no-same-permissions \
    --no-wildcards --no-anchored --no-unquote -C "$stage" "$@" -T "$work/patterns" 2>"$work/log" &
  pid=$!
  watch unpacked "$total" tar_position &
  watcher=$!
  wait "$pid" || status=$?
  end_watch
  if [[ -f $work/cut ]]; then stop "$(cat "$work/cut") What was unpacked is deleted; run it again to start again."; fi
  judge_tar "$status" "$name"
}

# shellcheck disable=SC2317 # `watch` calls it.
tar_position() { awk '/^tar: @/ { n = substr($2, 2) } END { printf("%.0f\n", n * 1048576) }' "$work/log"; }

judge_tar() { # STATUS NAME
  local problem
  # Classes that are not there are told at the end, by what is missing.
  problem=$(grep -v -e '^tar: @' -e ': Not found in archive$' -e '^tar: Exiting with failure' "$work/log" | head -n 1 || true)
  if [[ $1 -eq 0 || ($1 -eq 2 && -z $problem) ]]; then return; fi
  # A file of which a part went onto the disk has another message, and is the only one if the rest has room again.
  if grep -q -e 'No space left' -e 'uota exceeded' -e ': Wrote only [0-9]* of' "$work/log"; then
    stop "the disk or quota is full ($dest, $(human "$(free_bytes "$dest")") free). What was unpacked is deleted; make room, and run it again to go on."
  fi
  if [[ $1 -gt 128 ]]; then stop "tar was ended by a signal. Run it again to go on."; fi
  fail "tar cannot unpack $2 (${problem#tar: }). If it is damaged, delete it and run this again."
}

# Renames each class into place. A folder that is there already stays as it is.
move_into_place() {
  local base split folder class
  base=$(find "$stage" -mindepth 1 -maxdepth 2 -type d -name train | head -n 1)
  if [[ -z $base ]]; then base=$stage/train; fi
  base=$(dirname -- "$base")
  shopt -s nullglob
  for split in val train; do
    mkdir -p -- "$tree/$split"
    for folder in "$base/$split"/*/; do
      folder=${folder%/}
      class=${folder##*/}
      [[ -e $tree/$split/$class ]] || mv -T -- "$folder" "$tree/$split/$class"
    done
  done
  rm -rf -- "$stage"
}

report() {
  local class unknown=() unmeasured=() names=()
  if [[ ${missing[0]} == '*' ]]; then
    for class in "$tree"/train/*/; do names+=("$(basename -- "$class")"); done
    [[ ${#names[@]} -gt 0 ]] || fail "the archive has no train folder with classes in it. Correct DATA_URL, or give another --archive."
    : >"$tree/.all-classes"
    say "Unpacked all $(count ${#names[@]} class classes)."
  else
    for class in "${missing[@]}"; do
      if [[ ! -d $tree/train/$class ]]; then
        unknown+=("$class")
        continue
      fi
      [[ -d $tree/val/$class ]] || unmeasured+=("$class")
      say "  $class: $(images "$tree/train/$class") in train, $(images "$tree/val/$class") in val"
    done
  fi
  if [[ ${#unmeasured[@]} -gt 0 ]]; then complain "Warning: the archive has no images of $(join "${unmeasured[@]}") in val, which is measured at the end."; fi
  if [[ ${#unknown[@]} -gt 0 ]]; then
    local kept=''
    if [[ -f $archive ]]; then kept=" The archive is kept, so that it need not be downloaded again: $archive."; fi
    fail "the archive has no class $(join "${unknown[@]}"); all others are unpacked. Correct $keep and run this again.$kept"
  fi
  discard_archive
  say "Everything is in $tree"
}

images() { if [[ -d $1 ]]; then find "$1" -type f | wc -l; else echo 0; fi; }
