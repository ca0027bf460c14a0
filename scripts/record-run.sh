#!/usr/bin/env bash
# Records a training run in a real terminal as docs/run.svg, the picture in the README.
# Needs tmux, and a Python with the package rich (PYTHON=..., python3 by default).
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
columns=104 rows=26
session=deep-cnn-picture-$$
screen=$(mktemp)
outputs=$(mktemp -d)
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -rf "$screen" "$outputs"' EXIT

command=(npm start -- --epochs=4 --data_dir=tests/places_test_input --model=efficientnet_lite0 --batch_size=8)
tmux new-session -d -s "$session" -x "$columns" -y "$rows" "PS1='\$ ' bash --norc"
tmux send-keys -t "$session" "clear; ${command[*]} --run_name=demo --root_dir=$outputs" Enter
for _ in $(seq 300); do
  sleep 1
  tmux capture-pane -t "$session" -e -p > "$screen"
  grep -q 'LOSS train' "$screen" && break
done
grep -q 'LOSS train' "$screen" || { echo 'The run did not end in time.' >&2; exit 1; }

mkdir -p docs
# Where the outputs went is of no interest, and differs from machine to machine.
sed -i -e "s# --root_dir=$outputs##" -e "s#$outputs/##g" "$screen"
"$python" - "$screen" docs/run.svg "$columns" <<'PYTHON'
import sys
from rich.console import Console
from rich.text import Text

source, target, columns = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    lines = file.read().rstrip().splitlines()
console = Console(record=True, width=int(columns), file=open("/dev/null", "w"), force_terminal=True)
for line in lines:
    console.print(Text.from_ansi(line), overflow="crop", no_wrap=True)
console.save_svg(target, title="deep-cnn")
PYTHON
echo "Wrote docs/run.svg"
