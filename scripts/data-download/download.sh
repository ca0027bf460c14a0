# The room that is needed, and the download, which goes on where it was cut.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

# Says how much room is needed, and stops before the work when there is less.
check_disk() {
  local share=$total here=0 there
  if [[ -z $total ]]; then
    say "The server does not tell the archive's size. Places365 takes 26 GB; make sure that there is room in $input."
    return
  fi
  # The classes differ in size by little; a fifth more is assumed.
  if [[ ${missing[0]} != '*' && ${#missing[@]} -lt 304 ]]; then share=$((total * ${#missing[@]} * 6 / 5 / places_classes)); fi
  if [[ $mode == download ]]; then here=$((total - $(size_of "$part"))); fi
  if [[ $here -lt 0 ]]; then here=$total; fi
  there=$share
  say "Needs $(human $((here + there))) of disk: $(human "$here") for the archive ($([[ $mode == stream ]] && echo 'unpacked while it comes' || echo 'deleted at the end')) and about $(human "$share") for the images."
  if [[ $(device "$input") == "$(device "$dest")" ]]; then
    there=$((here + there))
    here=0
  fi
  require_space "$input" "$here"
  require_space "$dest" "$there"
}

device() { df -Pk -- "$1" | awk 'NR > 1 { print $1 }'; }
free_bytes() { df -Pk -- "$1" | awk 'NR > 1 { printf("%.0f\n", $4 * 1024) }'; }

require_space() {
  local free
  free=$(free_bytes "$1")
  if [[ -z $free || $free -ge $2 ]]; then return; fi
  if is_true "${FORCE:-}"; then
    complain "Warning: only $(human "$free") are free in $1; going on because of FORCE."
    return
  fi
  stop "$1 has $(human "$free") free, of $(human "$2") needed. Make room, take another disk (--input), do without the archive (--stream), or set FORCE=1."
}

# What has come of another archive, or of another version of this one, cannot be gone on with.
prepare_part() {
  local source
  source=$(printf '%s\n' "$url" "$total" "$validator")
  if [[ -f $part && -f $source_record && $(cat "$source_record") != "$source" ]]; then
    say "What is in $part is of another archive: it begins anew."
    rm -f -- "$part"
  fi
  printf '%s\n' "$source" >"$source_record"
}

download() {
  local size status
  best=0 tries=0
  prepare_part
  while :; do
    size=$(size_of "$part")
    if [[ -n $total && $size -eq $total ]]; then break; fi
    if [[ -n $total && $size -gt $total ]]; then
      complain "$(human "$size") came, and the archive is of $(human "$total"): it begins anew."
      rm -f -- "$part"
      pause 'too many bytes came'
      size=0
    fi
    if [[ $size -eq 0 ]]; then say "Downloading $url"; else say "Going on with the download after $(human "$size")."; fi
    status=0
    fetch_part || status=$?
    if [[ $status -ne 0 && $code != 416 ]]; then
      after_failure "$status"
    elif [[ -z $total ]]; then
      # Only the archive itself can tell whether it is all there. 416: the server has nothing after what there is.
      if is_whole "$part"; then break; fi
      if [[ $code == 416 ]]; then rm -f -- "$part"; fi
      pause 'the archive lacks its end'
    elif [[ $(size_of "$part") -lt $total ]]; then
      pause "$(human "$(size_of "$part")") of $(human "$total") came"
    fi
  done
  if ! is_whole "$part"; then
    fail "$part is no whole tar archive, though it is all that $url gives. Correct DATA_URL, or delete the file to download it again."
  fi
  say "The download is complete: $(human "$(size_of "$part")")."
}

# One request for what is still lacking. Sets `code` to the answer's status.
fetch_part() {
  local pid status=0
  if has curl; then
    curl -fsSL -C - --connect-timeout 30 --speed-limit 1000 --speed-time 60 -w '%{http_code}' -o "$part" -- "$url" \
      >"$work/answer" 2>"$work/log" </dev/null &
  else
    wget -S -c -t 1 -T 60 --no-verbose -O "$part" -- "$url" >"$work/log" 2>&1 </dev/null &
  fi
  pid=$!
  watch downloaded "$total" size_of "$part" &
  watcher=$!
  wait "$pid" || status=$?
  end_watch
  if has curl; then
    code=$(cat "$work/answer")
  else
    code=$(awk '/^ *HTTP\// { code = $2 } END { print code }' "$work/log")
  fi
  if [[ $code == 000 ]]; then code=''; fi
  return "$status"
}

after_failure() { # EXIT CODE of curl or wget, after a download
  local program
  program=$(has curl && echo curl || echo wget)
  case $program$1 in
    curl23 | wget3) stop "$part cannot be written; $(human "$(free_bytes "$input")") are free there. Make room, and run it again to go on." ;;
    curl33)
      complain 'The server cannot go on in the middle: the download begins anew.'
      rm -f -- "$part"
      pause 'it gives whole files only'
      return
      ;;
  esac
  check_url "$1"
  case $code in
    408 | 429 | 5??) ;;
    4??) fail "$url answers $code, so the archive cannot be had. Correct DATA_URL." ;;
  esac
  pause "$(reason)"
}
