# shellcheck shell=bash
# What a job's script does around its one command; submit.pbs and submit.slurm, and the scripts that `deep-cnn submit`
# writes, source it in the project's folder, after environment.sh. It defines run_job, run_sweep and run_once.
#
# A run ends with code 75 when it was stopped and saved: then the job is handed in once more, and goes on. PBS has the
# script submitted anew, Slurm requeues the job itself. It ends there when the job was deleted, when two jobs in a row
# came no step further, or after DEEP_CNN_TRIES jobs (20).

job_depend=()

# Whether there is a key of Weights & Biases, as an option's value.
job_wandb() { if [[ -n ${WB_KEY:-}${WANDB_API_KEY:-} ]]; then echo True; else echo False; fi; }

job_say() { printf '%s\n' "$*"; }
job_complain() { printf 'Error: %s\n' "$*" >&2; }

# Runs the command, adding --resume=auto where it says nothing of resuming. In an array the run's name gets the element's
# index, and so does the seed, where the command names none.
run_job() { # COMMAND --OPTION=VALUE...
  job_find_scheduler
  job_read_command "$@"
  if [[ ${DRY_RUN:-} == 1 ]]; then
    printf '%q ' "${job_command[@]}"
    echo
    exit 0
  fi
  job_say "Job ${job_id:-none} on $(hostname), try $job_try of $job_tries: run $job_run in $PWD"
  local stalled=$job_root/outputs/jobs/$job_run.stalled before after status
  if [[ $job_try -eq 1 ]]; then rm -f -- "$stalled"; fi
  before=$(job_progress)
  if [[ $before == *complete ]]; then
    job_say "The run $job_run was finished before: nothing is left to train. For a new run change --run_name."
  fi
  job_wait
  status=$?
  job_next=
  case $status in
    0) job_record 'done' ;;
    75)
      after=$(job_progress)
      job_decide "$stalled" "$before" "$after" || status=$?
      job_record "${job_next:-stopped}"
      ;;
    *)
      if job_was_deleted; then
        job_say "The job was stopped by SIG$job_signal before there was anything to save."
      else
        job_complain "the run ended with code $status (see above), and is not tried again."
      fi
      job_record "failed with code $status"
      ;;
  esac
  job_report "$status"
  if [[ $job_next == requeued ]]; then job_requeue; fi
  exit "$status"
}

# Runs `deep-cnn sweep FILE`, alone or in each job of an array, which work on the sweep together: the sweep itself says which
# trial is next.
run_sweep() { # NAME COMMAND sweep FILE --OPTION=VALUE...
  job_sweep=$1
  shift
  run_job "$@"
}

# Runs another command of the program, such as `evaluate`, as it is. There is nothing to go on with: whatever comes of it,
# the job is not handed in again.
run_once() { # COMMAND...
  job_find_scheduler
  local status=0
  job_say "Job ${job_id:-none} on $(hostname) in $PWD"
  "$@" </dev/null || status=$?
  if [[ $status -eq 0 ]]; then job_record 'done'; else job_record "failed with code $status"; fi
  exit "$status"
}

# Who runs this job, and what it was granted.
job_find_scheduler() {
  job_scheduler='' job_id='' job_limit='' job_attributes=''
  local index=${DEEP_CNN_INDEX:-} granted
  if [[ -n ${PBS_JOBID:-} ]]; then
    job_scheduler=pbs
    job_id=$PBS_JOBID
    index=${index:-${PBS_ARRAY_INDEX:-}}
    job_find_pbs
    # Long values go on in the next line, after a tab.
    job_attributes=$(job_patiently qstat -f "$job_id" 2>/dev/null | sed -e ':a' -e 'N' -e '$!ba' -e 's/\n\t//g')
    job_limit=$(job_seconds "$(job_attribute Resource_List.walltime)")
    granted=${NCPUS:-}
  elif [[ -n ${SLURM_JOB_ID:-} ]]; then
    job_scheduler=slurm
    job_id=$SLURM_JOB_ID
    if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
      # One element bears the number of the whole array.
      job_id=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
      index=${index:-$SLURM_ARRAY_TASK_ID}
    fi
    job_limit=$(job_seconds "$(job_patiently squeue -h -j "$job_id" -o %l 2>/dev/null)")
    granted=${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-}}
  fi
  if [[ $index =~ ^[0-9]+$ ]]; then export DEEP_CNN_INDEX=$index; else unset DEEP_CNN_INDEX; fi
  # TensorFlow would take every processor of a node that is shared with others.
  if [[ ${granted:-} =~ ^[1-9][0-9]*$ ]]; then export TF_NUM_INTRAOP_THREADS=${TF_NUM_INTRAOP_THREADS:-$granted}; fi
  job_try=${DEEP_CNN_TRY:-$((${SLURM_RESTART_COUNT:-0} + 1))}
  if ! [[ $job_try =~ ^[1-9][0-9]*$ ]]; then job_try=1; fi
  job_tries=${DEEP_CNN_TRIES:-20}
  if ! [[ $job_tries =~ ^[1-9][0-9]*$ ]]; then job_tries=20; fi
}

# Makes qsub and qstat available, which are on PATH only where the login shell's profile says so.
job_find_pbs() {
  local conf=${PBS_CONF_FILE:-/etc/pbs.conf}
  if command -v qsub >/dev/null || [[ ! -r $conf ]]; then return; fi
  PATH=$PATH:$(sed -n 's/^PBS_EXEC=//p' "$conf" | tail -n 1)/bin
}

# The command as it will run, and the name and root folder of its run.
job_read_command() {
  local word has_resume=0 has_seed=0 index=${DEEP_CNN_INDEX:-} option
  if [[ -n ${job_sweep:-} ]]; then
    job_read_sweep "$@"
    return
  fi
  job_run=default job_root=. job_command=() job_program=()
  while [[ $# -gt 0 && $1 != -* ]]; do
    job_program+=("$1")
    shift
  done
  while [[ $# -gt 0 ]]; do
    word=$1
    shift
    option=${word%%=*}
    option=${option//-/_}
    if [[ $option == __@(run_name|root_dir) && $word != *=* && $# -gt 0 ]]; then
      word=$word=$1
      shift
    fi
    case $option in
      __run_name)
        job_run=${word#*=}
        continue
        ;;
      __root_dir) job_root=${word#*=} ;;
      __resume | __no_resume) has_resume=1 ;;
      __seed) has_seed=1 ;;
    esac
    job_command+=("$word")
  done
  job_run+=${index:+-$index}
  job_command=("${job_program[@]}" "${job_command[@]}" "--run_name=$job_run")
  if [[ -n $index && $has_seed -eq 0 ]]; then job_command+=("--seed=$index"); fi
  if [[ $has_resume -eq 0 ]]; then job_command+=(--resume=auto); fi
}

# The same of a sweep's command, which runs as it is. Each job of an array has a record of its own of whether it stalls.
job_read_sweep() {
  job_run=$job_sweep.sweep${DEEP_CNN_INDEX:+-$DEEP_CNN_INDEX} job_root=. job_command=("$@") job_program=() job_storage=()
  local word
  for word in "$@"; do
    case $word in
      --root_dir=*) job_root=${word#*=} ;;
      --storage=*) job_storage=("$word") ;;
    esac
  done
  while [[ $1 != sweep ]]; do
    job_program+=("$1")
    shift
  done
}

# How far the run's last checkpoint is: `12 unfinished`, `40 complete`; empty where there is none. Of a sweep, how many
# trials and epochs are done.
job_progress() {
  local words=(submit progress "$job_run")
  if [[ -n ${job_sweep:-} ]]; then words=(sweep progress "$job_sweep" "${job_storage[@]}"); fi
  "${job_program[@]}" "${words[@]}" "--root_dir=$job_root" 2>/dev/null
}

# Runs the command and returns its exit code. Signals are handed on, since a scheduler may send them to this shell alone.
job_wait() {
  local signal silence
  job_signal='' job_child=''
  for signal in TERM INT HUP USR1 USR2 XCPU; do
    # shellcheck disable=SC2064 # The signal's name is meant as it is now.
    trap "job_hear $signal" "$signal"
  done
  "${job_command[@]}" </dev/null &
  job_child=$!
  # One may have come before it was known to whom it is handed on.
  if [[ -n $job_signal ]]; then kill -s "$job_signal" "$job_child" 2>/dev/null; fi
  # A signal that interrupts `wait` while the command ends makes bash lose the exit code: so first it sleeps until the command
  # has ended, without a process for that, by reading what nobody writes.
  exec {silence}<> <(:)
  while kill -0 "$job_child" 2>/dev/null; do read -rt 0.5 -u "$silence"; done
  exec {silence}>&-
  # What comes now takes seconds, and has to happen though the scheduler's patience is over.
  trap '' TERM INT HUP USR1 USR2 XCPU
  wait "$job_child"
}

job_hear() {
  if [[ -z $job_signal ]]; then
    job_signal=$1
    job_signal_seconds=$SECONDS
  fi
  kill -s "$1" "$job_child" 2>/dev/null
}

# Whether the scheduler stopped this job because somebody deleted it. A TERM after the walltime is the scheduler's own.
job_was_deleted() {
  [[ $job_signal == @(TERM|INT|HUP) ]] || return 1
  [[ -z $job_limit ]] || ((job_signal_seconds + 2 < job_limit))
}

# What follows the code 75: sets job_next where the job is handed in once more.
job_decide() { # STALLED-FILE PROGRESS-BEFORE PROGRESS-AFTER
  if [[ -z $job_scheduler ]]; then
    job_say 'The run was stopped and saved. The same command goes on with it.'
    return 75
  fi
  if job_was_deleted; then
    job_say "The job was stopped by SIG$job_signal, and its run saved; it is not handed in again. To go on, submit it again."
    return 75
  fi
  if [[ ${3:-none} == "${2:-none}" ]]; then
    if [[ -e $1 ]]; then
      rm -f -- "$1"
      job_complain "two jobs in a row came no step further than ${3:-the start}: give them more walltime."
      return 1
    fi
    mkdir -p -- "${1%/*}" && : >"$1"
  else
    rm -f -- "$1"
  fi
  if [[ $job_try -ge $job_tries ]]; then
    job_complain "the run is not finished after $job_tries jobs (DEEP_CNN_TRIES). To go on, submit it again."
    return 75
  fi
  case $job_scheduler in
    pbs) job_resubmit ;;
    slurm) job_next=requeued ;;
  esac
  return 75
}

# Submits this very script once more, with the name, variables and resources that the job has now: the file from which
# it was submitted may have been edited since.
job_resubmit() {
  local text name names variables kept=() queue=() attempt answer
  if ! command -v qsub >/dev/null; then
    job_complain 'there is no qsub on this node. To go on, submit it again.'
    return
  fi
  # An element of an array goes on alone.
  if ! text=$(sed -E '/^#PBS/s/ +-J *[0-9][0-9:%,-]*//; /^#PBS *$/d' -- "$0" 2>/dev/null) || [[ -z $text ]]; then
    job_complain "the script $0 can't be read any more. To go on, submit it again."
    return
  fi
  variables=DEEP_CNN_TRY=$((job_try + 1))${DEEP_CNN_INDEX:+,DEEP_CNN_INDEX=$DEEP_CNN_INDEX}
  names=$(job_attribute Variable_List | grep -oE '(^|,)[A-Za-z_][A-Za-z_0-9]*=' | tr -d ',=')
  for name in $names; do
    # A value may hold what looks like another variable. qsub refuses one that is not there.
    if [[ $name != PBS_* && $name != DEEP_CNN_@(TRY|INDEX) ]] && printenv "$name" >/dev/null; then variables+=,$name; fi
  done
  job_keep -A Account_Name
  job_keep -P project _pbs_project_default
  job_keep -p Priority 0
  job_keep -m Mail_Points a
  job_keep -M Mail_Users
  job_keep -l Resource_List.walltime '' walltime=
  job_keep -l Resource_List.select '' select=
  name=$(job_attribute queue)
  if [[ -n $name ]]; then queue=(-q "$name"); fi
  for attempt in 1 2 3; do
    # Queues that only others may fill, and sites that change what is asked for, refuse what they themselves have made.
    if answer=$(job_qsub "$variables" "${job_depend[@]}" "${queue[@]}" "${kept[@]}" <<<"$text" 2>&1) ||
      answer=$(job_qsub "$variables" "${job_depend[@]}" "${kept[@]}" <<<"$text" 2>&1) ||
      answer=$(job_qsub "$variables" "${job_depend[@]}" <<<"$text" 2>&1); then
      job_next="continued $(tail -n 1 <<<"$answer")"
      job_say "Handed in again: this goes on in job ${job_next#continued }."
      return
    fi
    sleep "$attempt"
  done
  job_complain "the job could not be handed in again (${answer%%$'\n'*}). To go on, submit it again."
}

# From the folder of the first time, where its output file is.
job_qsub() (
  cd "${PBS_O_WORKDIR:-.}" && job_patiently qsub -N "${PBS_JOBNAME:-deep_cnn}" -v "$@"
)

# Lets the job begin only when the named ones have succeeded, in this or in a job that went on for them. PBS knows no such
# thing: for afterok an array has succeeded although an element failed, and a job that goes on in another one has failed.
job_after() { # ID...
  [[ -n ${PBS_JOBID:-} && ${DRY_RUN:-} != 1 ]] || return 0
  local id state
  job_find_pbs
  for id in "$@"; do
    while state=$(job_state "$id") && [[ $state == 'continued '* ]]; do
      id=${state#continued }
      if [[ ! -e outputs/jobs/$id.state ]]; then
        job_find_scheduler
        job_next='' job_depend=(-W "depend=afterany:$id")
        job_try=$((job_try - 1))
        job_resubmit
        exit 75
      fi
    done
    if [[ $state != 'done' ]]; then
      job_complain "job $id, after which this one was to run, ended without success (${state:-it left no record in $PWD/outputs/jobs})."
      exit 2
    fi
  done
}

# How a job ended, by its record; what runs other scripts, such as data_download.sh, only PBS has a record of.
job_state() { # ID, perhaps without the server's name
  local file
  for file in "outputs/jobs/$1.state" "outputs/jobs/$1".*.state; do
    if [[ -e $file ]]; then
      cat "$file"
      return
    fi
  done
  if job_patiently qstat -x -f "$1" 2>/dev/null | grep -q '^ *Exit_status = 0$'; then echo 'done'; fi
}

# The same job starts again, with all that it was submitted with, after Slurm's pause of two or three minutes.
job_requeue() {
  local answer
  job_say "The run was stopped and saved, and goes on when Slurm starts job $job_id again."
  # This ends the script.
  if ! answer=$(job_patiently scontrol requeue "$job_id" 2>&1); then
    job_complain "the job could not be requeued (scontrol: $answer). To go on, submit it again."
    job_record stopped
  fi
}

# Adds an option of qsub with the value of one of the job's attributes, if it has one that is not the default.
job_keep() { # OPTION ATTRIBUTE [DEFAULT [PREFIX]]
  local value
  value=$(job_attribute "$2")
  if [[ -n $value && $value != "${3:-}" ]]; then kept+=("$1" "${4:-}$value"); fi
}

job_attribute() { sed -n "s/^ *$1 = //p" <<<"$job_attributes" | head -n 1; }

# A scheduler that is busy must not hold the job up. TERM may be ignored by now.
job_patiently() { if command -v timeout >/dev/null; then timeout -s KILL 30 "$@"; else "$@"; fi; }

# Seconds of `D-HH:MM:SS`, `HH:MM:SS`, `MM:SS` or, from PBS, `SS`; nothing for other words.
job_seconds() {
  [[ $1 =~ ^(([0-9]+)-)?(([0-9]+):)?(([0-9]+):)?([0-9]+)$ ]] || return 0
  local days=${BASH_REMATCH[2]:-0} first=${BASH_REMATCH[4]} second=${BASH_REMATCH[6]} last=${BASH_REMATCH[7]}
  if [[ -n $first && -z $second ]]; then second=$first first=; fi
  echo $((10#$days * 86400 + 10#${first:-0} * 3600 + 10#${second:-0} * 60 + 10#$last))
}

# How the job ended, for jobs that wait for it.
job_record() {
  [[ -n $job_id ]] || return 0
  mkdir -p outputs/jobs && printf '%s\n' "$1" >"outputs/jobs/$job_id.state"
}

# Where everything lies.
job_report() { # STATUS
  local outputs=${job_root%/}/outputs word
  outputs=${outputs#./}
  case $1 in
    0) word=finished ;;
    75) word='stopped and saved' ;;
    *) word=failed ;;
  esac
  job_say "The run $job_run: $word (exit code $1) after $((SECONDS / 60)) min $((SECONDS % 60)) s. In $PWD:"
  if [[ -n ${job_sweep:-} ]]; then job_show 'sweep' "$outputs/sweeps/$job_sweep"; fi
  job_show 'network' "$outputs/models/$job_run.safetensors"
  job_show 'best network' "$outputs/models/$job_run.best.safetensors"
  job_show 'checkpoints' "$outputs/checkpoints/$job_run"
  job_show 'log' "$outputs/logger/$job_run"????????_??-??-??*.log
  job_show 'table of epochs' "$outputs/results/$job_run"????????_??-??-??*.csv
  job_show 'page' "$outputs/results/$job_run"????????_??-??-??*.html
  job_show 'TensorBoard' "$outputs/tensorboard/$job_run"
  job_show 'W&B' "$outputs/wandb/$job_run"
}

job_show() { # NAME PATH...: the last of the paths, if it exists
  if [[ -e ${*: -1} ]]; then printf '  %-16s %s\n' "$1" "${*: -1}"; fi
}
