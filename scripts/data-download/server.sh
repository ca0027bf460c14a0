# What the server says of the archive, and the patience with servers.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

# Asks for the headers alone. Sets `total` (bytes, empty when not told), `validator` and `ranges`.
ask_server() {
  best=0 tries=0
  while :; do
    total='' validator='' ranges=''
    local status=0
    if has curl; then
      curl -sSIL --connect-timeout 30 --max-time 120 -- "$url" >"$work/headers" 2>"$work/log" </dev/null || status=$?
    else
      wget -S --spider -t 1 -T 60 -- "$url" >"$work/log" 2>&1 </dev/null || status=$?
      cp -- "$work/log" "$work/headers"
    fi
    read_headers
    case $code in
      2??) return ;;
      404 | 410) fail "$url answers $code: there is no such file. Correct DATA_URL." ;;
      408 | 429 | 5?? | '')
        if [[ $code == 501 ]]; then return; fi
        check_url "$status"
        pause "$(reason)"
        ;;
      # Some servers forbid the question and still give the file.
      *) return ;;
    esac
  done
}

# Reads the headers of the last answer, after redirections.
read_headers() {
  eval "$(tr -d '\r' <"$work/headers" | awk '
    { line = $0; sub(/^ +/, "", line); split(line, words, " "); name = tolower(words[1]) }
    line ~ /^HTTP\// { code = words[2]; total = ""; tag = ""; time = ""; ranges = "" }
    name == "content-length:" { total = words[2] }
    name == "accept-ranges:" { ranges = words[2] }
    name == "etag:" { tag = substr(line, 7) }
    name == "last-modified:" { time = substr(line, 16) }
    END {
      if (code !~ /^2/ || total !~ /^[0-9]+$/) total = ""
      value = tag ~ /^"[ -~]*"$/ ? tag : time
      gsub(/[^ -~]|\047/, "", value)
      printf("code=%d total=%s ranges=%s validator=\047%s\047\n", code, total, ranges == "bytes" ? 1 : "", value)
    }')"
  if [[ $code == 0 ]]; then code=''; fi
}

check_url() { # EXIT CODE of curl
  if has curl && [[ $1 -eq 1 || $1 -eq 3 ]]; then fail "$url is no address that curl knows ($(reason)). Correct DATA_URL."; fi
}

reason() { # why the last request failed, in a few words
  if [[ -n ${code:-} && $code != 2?? ]]; then
    echo "the server answers $code"
  else
    local text
    text=$(grep -v '^ *$' "$work/log" | tail -n 1 || true)
    if [[ $text == 'curl: ('* ]]; then text=${text#*) }; fi
    echo "${text:-the connection failed}"
  fi
}

# Waits before the next try, longer each time, and gives up when many in a row have brought nothing.
pause() {
  local size
  size=$(size_of "$part")
  if [[ $size -gt $best ]]; then
    best=$size
    tries=0
  fi
  tries=$((tries + 1))
  if [[ $tries -gt ${RETRIES:-10} ]]; then
    stop "$url cannot be had now ($1). Run it again to go on. Where this node has no internet, run it on one that has."
  fi
  local seconds=$((${RETRY_SECONDS:-5} << (tries > 7 ? 6 : tries - 1)))
  complain "The connection failed or was cut ($1). Trying again in $seconds s ($tries of ${RETRIES:-10})."
  nap "$seconds"
}

nap() { # In the background, so that a signal is heard at once.
  sleep "$1" >/dev/null 2>&1 9>&- &
  wait "$!"
}
