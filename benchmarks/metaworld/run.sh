#!/usr/bin/env bash
# The whole benchmark: environment, demonstrations, training, server, evaluation, table.
#
#   benchmarks/metaworld/run.sh STEP...     from the repository's top folder
#
# Steps, in their order, all of them without an argument: environment, demonstrations, train,
# evaluate, table. What a step finds done it does not do again.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=benchmarks/metaworld
out=${F1_METAWORLD_OUT:-out/metaworld}
venv=${F1_METAWORLD_VENV:-$out/venv}
data=${F1_METAWORLD_DATA:-$out/demonstrations}
f1=${F1_PROGRAM:-./f1}
python=$venv/bin/python
episodes=${F1_METAWORLD_EPISODES:-50}
export F1_METAWORLD_DATA=$data
# What is drawn in software needs neither a display nor a GPU.
export MUJOCO_GL=${MUJOCO_GL:-osmesa}
server=

stop() { # ends the server
  [[ -z $server ]] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  server=
}
trap stop EXIT

serve() { # MODEL [OPTION..]: a server on a free port; sets $url
  stop
  local model=$1 log=$out/serve.log
  shift
  "$f1" serve --model "$model" --layout metaworld --port 0 "$@" >"$log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    url=$(grep -o 'ws://[0-9.]*:[0-9]*' "$log" | head -n 1) || true
    [[ -z $url ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  cat "$log" >&2
  return 1
}

play() { # NAME MODEL TASKS [OPTION..]
  local name=$1 model=$2 tasks=$3
  shift 3
  [[ ! -f $out/results/$name.json ]] || return 0
  serve "$model"
  "$python" $here/evaluate.py --url "$url" --tasks "$tasks" --episodes "$episodes" \
    --json "$out/results/$name.json" "$@"
  stop
}

environment() {
  [[ ! -x $python ]] || return 0
  if ! ldconfig -p | grep -q libOSMesa && ! ldconfig -p | grep -q libEGL; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends libosmesa6 python3-venv >/dev/null
  fi
  mkdir -p "$out"
  python3 -m venv "$venv"
  "$python" -m pip install --quiet --requirement $here/requirements.txt
}

demonstrations() {
  [[ -d $data ]] || "$python" $here/demonstrate.py "$data" --episodes 50
}

train() {
  for name in tokenizer pi0 stage1 stage2 stage3 without_foresight past_images; do
    [[ -d runs/metaworld/$name/model/average ]] || "$f1" train "config/train/metaworld_$name.yaml"
  done
}

evaluate() {
  for policy in expert random; do
    [[ -f $out/results/$policy.json ]] || "$python" $here/evaluate.py --policy $policy \
      --tasks all,moving --episodes "$episodes" --json "$out/results/$policy.json"
  done
  play f1 runs/metaworld/stage3/model/average all,moving
  play without_foresight runs/metaworld/without_foresight/model/average all,moving
  play past_images runs/metaworld/past_images/model/average all,moving
  play filtered runs/metaworld/stage3/model/average counted --filtered --f1 "$f1"
  serve runs/metaworld/stage3/model/average --chunk-steps 4
  PYTHONPATH=$here "$venv/bin/vla-eval" run --no-docker --config $here/vla_eval.yaml \
    --server-url "$url/vla-eval" --output-dir "$out/vla_eval"
  stop
}

table() {
  local names=()
  for name in f1 without_foresight past_images filtered expert random; do
    [[ ! -f $out/results/$name.json ]] || names+=("$out/results/$name.json")
  done
  "$python" $here/results.py "${names[@]}"
}

(($# > 0)) || set -- environment demonstrations train evaluate table
for step in "$@"; do
  case $step in
    environment | demonstrations | train | evaluate | table) "$step" ;;
    *) echo "$step is no step: environment, demonstrations, train, evaluate, table" >&2 && exit 2 ;;
  esac
done
