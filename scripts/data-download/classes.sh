# Which classes are wanted, and which of them are yet to be unpacked.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

# Sets `classes` to the names in a file: one a line, with comments, blank lines and Windows' line ends allowed.
read_classes() {
  local line
  local -A seen=()
  classes=()
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line#$'\xef\xbb\xbf'}
    if [[ $line =~ ^[[:space:]]*# ]]; then continue; fi
    line=${line%%[[:space:]]#*}
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    line=${line%/}
    if [[ -z $line || -n ${seen[$line]:-} ]]; then continue; fi
    if [[ $line == */* || $line == . || $line == .. ]]; then
      fail "$1 names \`$line\`, which is no folder's name: classes stand there without a path, such as \`street\`."
    fi
    seen[$line]=1
    classes+=("$line")
  done <"$1"
  [[ ${#classes[@]} -gt 0 ]] || fail "$1 names no class. Write one a line${2:-, or delete the file to unpack all classes}."
}

# Sets `missing` to what is yet to be unpacked, and the words for it. Without a list `missing` is `*`.
read_wanted() {
  local class
  missing=()
  if [[ -f $keep ]]; then
    read_classes "$keep"
    for class in "${classes[@]}"; do [[ -d $tree/train/$class ]] || missing+=("$class"); done
    wanted_text="the $(count ${#classes[@]} class classes) of $keep $([[ ${#classes[@]} -eq 1 ]] && echo is || echo are)"
    missing_text=$(count ${#missing[@]} class classes)
    if [[ ${#missing[@]} -gt 0 && ${#missing[@]} -le 20 ]]; then missing_text+=" ($(join "${missing[@]}"))"; fi
  else
    [[ -f $tree/.all-classes ]] || missing=('*')
    wanted_text="all classes are"
    missing_text="all classes, since there is no $keep"
  fi
}
