# Deletes the class folders that are not wanted.
# Part of data_download.sh, which sets the variables.
# shellcheck shell=bash disable=SC2034,SC2154

prune() {
  local root split entry name kept=0 class doomed=() absent=()
  local -A wanted=()
  [[ -f $keep ]] || fail "there is no $keep, which would say which classes stay (--keep FILE)."
  read_classes "$keep" ' '
  for class in "${classes[@]}"; do wanted[$class]=0; done
  root=${prune_folder:-$tree}
  [[ -d $root ]] || fail "there is no folder $root to prune."
  root=$(cd -P -- "$root" && pwd -P)
  if [[ -d $input && -w $input ]]; then
    make_folders
    lock
    trap clean_up EXIT
  fi
  shopt -s nullglob
  for split in train val; do
    [[ ! -L $root/$split ]] || fail "$root/$split is a link. Prune the folder that it leads to by hand."
    for entry in "$root/$split"/*; do
      [[ -d $entry ]] || continue
      name=${entry##*/}
      if [[ -n ${wanted[$name]:-} ]]; then
        wanted[$name]=1
        kept=$((kept + 1))
      else
        doomed+=("$split/$name")
      fi
    done
  done
  for class in "${classes[@]}"; do [[ ${wanted[$class]} -eq 1 ]] || absent+=("$class"); done
  if [[ ${#doomed[@]} -eq 0 && $kept -gt 0 ]]; then
    say "There is nothing to prune: $root holds only classes of $keep."
    return
  fi
  [[ $kept -gt 0 ]] || fail "$root has no class of $keep in train or val: nothing would remain."
  if [[ ${#absent[@]} -gt 0 ]]; then complain "Warning: $root has no class $(join "${absent[@]}"), which $keep names."; fi

  say "Of $root, $(count "$kept" folder folders) of $keep will stay, and these $(count ${#doomed[@]} folder folders) will be deleted:"
  for entry in "${doomed[@]}"; do
    if [[ -L $root/$entry ]]; then say "  $entry (a link; what it leads to stays)"; else say "  $entry"; fi
  done
  confirm
  rm -f -- "$root/.all-classes"
  for entry in "${doomed[@]}"; do delete_folder "$root/${entry%%/*}" "${entry#*/}"; done
  say "Deleted $(count ${#doomed[@]} folder folders)."
}

confirm() {
  if [[ $yes -eq 1 ]]; then return; fi
  [[ -t 0 ]] || fail "nothing is deleted without a yes: run it in a terminal, or with --yes."
  local answer
  read -r -p 'Delete them? [y/N] ' answer || answer=''
  case $answer in
    [Yy] | [Yy][Ee][Ss]) ;;
    *) fail 'nothing was deleted.' ;;
  esac
}

# rm deletes links and not what they lead to; the name is taken from inside its parent, which cannot be a link by then.
delete_folder() { # PARENT NAME
  (
    cd -P -- "$1" || exit
    [[ $PWD == "$1" ]] || fail "$1 has become a link meanwhile."
    rm -rf --one-file-system -- "./$2"
  )
}
