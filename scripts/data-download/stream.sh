# Unpacks while the archive comes.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

# Nothing of the archive is kept, so that its size must be known to tell its end from a cut.
unpack_stream() {
  [[ -n $total ]] || fail "the server does not tell the archive's size, without which --stream cannot work. Leave out --stream."
  say "Downloading and unpacking $url"
  prepare_unpacking
  rm -f -- "$work/pipe" "$work/cut"
  mkfifo -- "$work/pipe"
  send_archive >"$work/pipe" &
  run_tar "$url" -B -f "$work/pipe"
  rm -f -- "$work/pipe"
}

# Writes the archive to the pipe. Cut, it goes on where it was if the server can; wget does this by itself.
send_archive() {
  local sent=0 status code='' size
  best=0 tries=0
  trap 'kill $(jobs -p) 2>/dev/null; exit 143' TERM
  if ! has curl; then
    wget -S --no-verbose -t $((${RETRIES:-10} + 1)) --waitretry="${RETRY_SECONDS:-5}" -T 60 -O - -- "$url" 2>"$work/headers" </dev/null &
    wait "$!" || echo "the download was cut." >"$work/cut"
    return
  fi
  while [[ $sent -lt $total ]]; do
    status=0
    curl -fsSL -r "$sent-" --connect-timeout 30 --speed-limit 1000 --speed-time 60 -w '%{http_code} %{size_download}' \
      -o /dev/fd/3 -- "$url" 3>&1 >"$work/answer" 2>"$work/headers" </dev/null &
    wait "$!" || status=$?
    read -r code size <"$work/answer" || true
    sent=$((sent + ${size%%.*}))
    if [[ $status -eq 0 && $sent -eq $total ]]; then return; fi
    tries=$((tries + 1))
    if [[ ${size%%.*} -gt 0 ]]; then tries=1; fi
    if [[ -z $ranges && $sent -gt 0 ]] || [[ $code == 4?? || $tries -gt ${RETRIES:-10} || $sent -gt $total ]]; then
      echo "the download was cut after $(human "$sent") ($(tail -n 1 "$work/headers"))." >"$work/cut"
      return
    fi
    nap $((${RETRY_SECONDS:-5} * tries))
  done
}
