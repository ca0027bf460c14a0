# One run at a time on one input folder, and what is left behind when it ends.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

make_folders() {
  local message
  message=$(mkdir -p -- "$work" "$dest" 2>&1) || fail "$input cannot be written to (${message##*: })."
  [[ -w $work && -w $dest ]] || fail "$input cannot be written to."
}

# Two at once would write the same files. The processes started from here hold flock's lock as well, so that what a
# killed run left behind has ended too before the next one begins. Some network file systems know no flock.
lock() {
  local seconds=${LOCK_SECONDS:-30} status=0
  exec 9>>"$work/lock"
  if has flock; then
    flock -n 9 2>/dev/null || status=$?
    if [[ $status -eq 1 ]]; then
      say "Another run is at work on $input (${holder:=$(cat "$work/holder" 2>/dev/null || echo unknown)}); waiting for at most $seconds s."
      flock -w "$seconds" 9 || stop "another run is at work on $input ($holder). Wait until it ends."
      status=0
    fi
    if [[ $status -eq 0 ]]; then
      echo "process $$ on $(uname -n)" >"$work/holder"
      return
    fi
  fi
  exec 9>&-
  lock_by_folder "$seconds"
}

lock_by_folder() {
  local holder waited=0
  until mkdir -- "$work/lock.d" 2>/dev/null; do
    holder=$(cat "$work/lock.d/holder" 2>/dev/null || true)
    if [[ $holder == *" on $(uname -n)" ]] && is_gone "$holder" && take_away "$holder"; then continue; fi
    if [[ $waited -ge $1 ]]; then
      stop "another run is at work on $input (${holder:-unknown}). Wait until it ends; if there is none, delete $work/lock.d."
    fi
    [[ $waited -gt 0 ]] || say "Another run is at work on $input (${holder:-unknown}); waiting for at most $1 s."
    sleep 1
    waited=$((waited + 1))
  done
  echo "process $$ on $(uname -n)" >"$work/lock.d/holder"
  own_lock=$work/lock.d
}

# Whether a holder's process has ended. One of another user's, which this one may not signal, has not.
is_gone() { # process NUMBER on HOST
  local pid=${1#process }
  [[ $(LC_ALL=C kill -0 "${pid%% *}" 2>&1) == *'No such process'* ]]
}

# Removes the lock of a holder that has ended. Of several who have seen that only one may, and only as long as it is still
# that holder's: else a slower one would remove the lock that a quicker one has taken in the meantime.
take_away() { # HOLDER
  mkdir -- "$work/lock.d/taken" 2>/dev/null || return
  if [[ $(cat "$work/lock.d/holder" 2>/dev/null) == "$1" ]]; then
    rm -rf -- "$work/lock.d.gone"
    mv -- "$work/lock.d" "$work/lock.d.gone"
    rm -rf -- "$work/lock.d.gone"
  else
    rm -rf -- "$work/lock.d/taken"
    return 1
  fi
}

# shellcheck disable=SC2317 # A trap calls it.
clean_up() {
  local status=$?
  # A subshell that is ended as soon as it starts may still have the main process's traps.
  if [[ $BASHPID -ne $$ ]]; then exit "$status"; fi
  trap - EXIT
  trap '' INT TERM HUP
  local pids
  pids=$(jobs -p)
  # shellcheck disable=SC2086 # Several numbers.
  if [[ -n $pids ]]; then
    kill $pids 2>/dev/null || true
    wait 2>/dev/null || true
  fi
  rm -rf -- "$dest/.unpacking"
  rm -f -- "$work"/{answer,log,headers,patterns,cut}
  if [[ -n ${own_lock:-} ]]; then rm -rf -- "$own_lock"; fi
  # Any small file may be the one for which there is no room.
  if [[ $status -eq 1 && $(free_bytes "$work") -lt 65536 ]]; then
    complain "Stopped: the disk is full ($input). Make room, and run it again to go on."
    status=75
  fi
  exit "$status"
}

# shellcheck disable=SC2317 # A trap calls it.
heed_signal() {
  if [[ $BASHPID -ne $$ ]]; then exit 143; fi
  stop 'by a signal. Run it again to go on.'
}
