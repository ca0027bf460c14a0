#!/usr/bin/env bash
# Records a training run in a real terminal as docs/run.svg, the picture in the README.
# Needs tmux, and a Python with the package rich (PYTHON=..., python3 by default).
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
columns=156 rows=32
session=deep-cnn-picture-$$
screen=$(mktemp)
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -f "$screen"' EXIT

command=(npm start -- --epochs=3 --data_dir=tests/places_test_input --model=efficientnet_lite0 --batch_size=8 --run_name=demo)
tmux new-session -d -s "$session" -x "$columns" -y "$rows" "PS1='\$ ' bash --norc"
tmux send-keys -t "$session" "clear; ${command[*]}" Enter
for _ in $(seq 300); do
  sleep 1
  tmux capture-pane -t "$session" -e -p > "$screen"
  grep -q 'LOSS train' "$screen" && break
done
grep -q 'LOSS train' "$screen" || { echo 'The run did not end in time.' >&2; exit 1; }

mkdir -p docs
# Whose checkout it is is of no interest.
sed -i "s#$PWD/##g" "$screen"
"$python" - "$screen" docs/run.svg "$columns" <<'PYTHON'
import re
import sys
from rich.console import Console
from rich.text import Text

source, target, columns = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    lines = file.read().rstrip().splitlines()
console = Console(record=True, width=int(columns), file=open("/dev/null", "w"), force_terminal=True)
for line in lines:
    console.print(Text.from_ansi(line), overflow="crop", no_wrap=True)
svg = console.export_svg(title="deep-cnn")
# A picture that loads fonts from elsewhere is none: the viewer's own will do.
svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
with open(target, "w", encoding="utf-8") as file:
    file.write(svg)
PYTHON
echo "Wrote docs/run.svg"
