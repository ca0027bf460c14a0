# Lines about how far something is: one that changes in a terminal, one a minute in a job's output.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

# Prints now and then how far something is, until it is ended: WORD, TOTAL, and the command that prints the bytes.
watch() {
  local word=$1 total=$2 interval=${PROGRESS_SECONDS:-60} before='' after=$'\n' started=$SECONDS first now
  shift 2
  if [[ -t 2 ]]; then interval=1 before=$'\r\e[K' after=''; fi
  # By the list of jobs, since the signal may come before a variable for the process is set.
  trap 'kill $(jobs -p) 2>/dev/null; exit 0' TERM
  first=$("$@")
  # The main process may have been killed without a chance to end this one.
  while kill -0 "$$" 2>/dev/null; do
    sleep "$interval" >/dev/null 2>&1 9>&- &
    wait "$!"
    now=$("$@")
    printf '%s%s%s' "$before" "$(progress_line)" "$after" >&2
  done
}

progress_line() {
  awk -v word="$word" -v now="$now" -v first="$first" -v total="${total:-0}" -v seconds=$((SECONDS - started)) \
    -v now_text="$(human "$now")" -v total_text="$(human "${total:-0}")" '
    BEGIN {
      rate = seconds > 0 ? (now - first) / seconds : 0
      text = word " " now_text
      if (total > 0) text = text " of " total_text sprintf(" (%d %%)", 100 * now / total)
      if (rate > 0) text = text sprintf(", %.1f MB/s", rate / 1e6)
      if (rate > 0 && total > now) {
        left = (total - now) / rate
        text = text (left < 90 ? sprintf(", %d s left", left) : sprintf(", %d min left", left / 60))
      }
      print text
    }'
}

end_watch() {
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  if [[ -t 2 ]]; then printf '\r\e[K' >&2; fi
}
