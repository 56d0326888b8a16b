#!/usr/bin/env bash
# Measures everything that needs a GPU, in order of worth, each part with its own limit and log.
#
#   scripts/gpu_run.sh [--minutes N] [--out DIR] [--archive FILE | --programs DIR] [--dry-run]
#                      [PART..]
#
# PART: kernels verify graphs bench torch ncu train foresight; without any, all of them, in this
# order. A part that fails or takes too long does not stop the next. Ends with a table, and with
# DIR/summary.json.
#
#   --minutes N     time for all parts together (default 9)
#   --out DIR       logs and results (default: $OUT, else runs/gpu)
#   --archive FILE  what scripts/gpu_pack.sh made (default: target/gpu.tar.xz, else gpu.tar.xz)
#   --programs DIR  unpacked programs: f1, test_kernels, test_model_lib, test_model, test_verify
#   --dry-run       every part at toy size on the processor; the default of --programs is then
#                   target/release
#
# The GPU machine needs the libraries of CUDA 13 (an install, or PyTorch's wheels, which are found).
set -uo pipefail
all=(kernels verify graphs bench torch ncu train foresight)
# A part leaves its reason in $work/reason and exits with 77 where it cannot run.
skip() { echo "$*" >"$work/reason"; exit 77; }
tests() {
  local program=$programs/$1
  [[ -x $program ]] || skip "no program $1 in $programs"
  (cd "$root/$2" && CARGO_MANIFEST_DIR=$root/$2 "$program" "${@:3}")
}

# Each part prints what it measures; a line `RESULT {json}` goes into the table.
part_kernels() {
  if ((dry)); then tests test_kernels f1_kernels; return; fi
  tests test_kernels f1_kernels cuda && tests test_model_lib f1_model gpu
}
part_verify() {
  if ((dry)); then
    "$f1" verify --goldens "$root/tests/goldens/tiny_f32" --device cpu
  else
    "$f1" verify --goldens "$root/tests/goldens" --device cuda
  fi
}
part_graphs() {
  if ((dry)); then tests test_model f1_model policy; return; fi
  tests test_model f1_model gpu --test-threads=1 && tests test_verify f1_verify gpu --test-threads=1
}
bench() {
  local name=$1
  shift
  "$f1" bench --device "$device" --json "$@" >"$out/bench_$name.json" || return
  printf 'RESULT {"%s": %s}\n' "$name" "$(tr -d '\n' <"$out/bench_$name.json")"
}
part_bench() {
  if ((dry)); then
    bench toy --model "$root/models/f1_bench" --cameras 2 --runs 2
    return
  fi
  local full=(--config released --random-weights 0 --cameras 3 --dtype bf16) status=0
  bench bf16_graphs "${full[@]}" --runs 100 || status=1
  bench fp8_graphs "${full[@]}" --runs 100 --quant fp8 || status=1
  bench bf16 "${full[@]}" --runs 30 --cuda-graphs=false || status=1
  return $status
}
part_torch() {
  python3 -c 'import torch' 2>/dev/null || skip "no PyTorch"
  local size=released runs=100
  ((dry)) && size=tiny runs=2
  python3 scripts/torch_eager.py --device "$device" --dtype "$( ((dry)) && echo f32 || echo bf16)" \
    --size $size --runs $runs | tee "$out/torch_eager.json" || return
  printf 'RESULT {"eager": %s}\n' "$(tail -n 1 "$out/torch_eager.json")"
}
part_ncu() {
  ((dry)) && skip "no GPU to look into"
  command -v ncu >/dev/null || skip "no ncu"
  ncu --csv --launch-skip 6000 --launch-count 400 --metrics gpu__time_duration.sum \
    "$f1" bench --device cuda --dtype bf16 --config released --random-weights 0 \
    --cuda-graphs=false --runs 1 >"$out/ncu.csv" || return
  python3 scripts/gpu_table.py kernels "$out/ncu.csv"
}
demonstrations() {
  [[ -d $out/$1/meta ]] || "$f1" demonstrate "$out/$1" --seed 0 "${@:2}"
}
# Time and loss of a run out of its table.
run_result() {
  printf 'RESULT {"%s": %s}\n' "$1" "$(python3 scripts/gpu_table.py run "$2/metrics.csv")"
}
train() {
  local name=$1
  shift
  rm -rf "$out/train_$name"
  F1_BENCH_DATA=$out/bench224 "$f1" train "$@" --set output="$out/train_$name" || return
  run_result "$name" "$out/train_$name"
}
part_train() {
  local status=0
  if ((dry)); then
    demonstrations bench64 --episodes 3 || return
    rm -rf "$out/train_toy"
    F1_BENCH_DATA=$out/bench64 F1_BENCH_PAIR=$out/bench64 F1_BENCH_ROW=$out/bench64 \
      F1_BENCH_BIN=$out/bench64 "$f1" train config/train/bench_stage3.yaml \
      --set model.init=models/f1_bench --set steps=2 --set batch=2 --set log_every=1 --set keep=0 \
      --set schedule.warmup_steps=0 --set data.token_cache="$out/tokens" \
      --set output="$out/train_toy" || return
    run_result toy "$out/train_toy"
    return
  fi
  demonstrations bench224 --episodes 8 --image 224 || return
  train lora config/train/gpu_lora.yaml || status=1
  rm -rf "$out/train_lora/model"
  train full config/train/gpu_full.yaml || status=1
  # Random weights trained for 50 updates are of no use to anybody, and 17 GB.
  rm -rf "$out/train_full/model"
  return $status
}
part_foresight() {
  local episodes=300 toy=()
  if ((dry)); then
    episodes=2
    toy=(--set steps=2 --set batch=2 --set log_every=1 --set schedule.warmup_steps=0)
  fi
  local tokenizer=models/f1_bench_64/image_tokenizer
  [[ -d $tokenizer ]] || skip "no image tokenizer in models/f1_bench_64"
  demonstrations bench_foresight --episodes $episodes || return
  local data=(F1_BENCH_DATA="$out/bench_foresight" F1_BENCH_PAIR="$out/bench_foresight"
    F1_BENCH_ROW="$out/bench_foresight" F1_BENCH_BIN="$out/bench_foresight")
  rm -rf "$out/pi0" "$out/foresight"
  # The understanding expert of the shipped model, by a run of no updates.
  env "${data[@]}" "$f1" train config/train/bench_pi0.yaml --set steps=0 \
    --set model.init=models/f1_bench --set output="$out/pi0" || return
  # Stopped by its limit; a stop leaves a checkpoint.
  env "${data[@]}" "$f1" train config/train/bench64_stage1.yaml --set device=$device "${toy[@]}" \
    --set model.init="$out/pi0/model" --set model.image_tokenizer=$tokenizer \
    --set data.token_cache="$out/tokens64" --set output="$out/foresight"
  local status=$?
  run_result stage1 "$out/foresight"
  return $status
}

# A part in a process of its own, which `timeout` can end with all that it started.
if [[ ${1:-} == --part ]]; then
  "part_$2"
  exit
fi

usage() { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; }

minutes=9 out="" archive="" programs="" dry=0 parts=()
need() { [[ -n ${2:-} ]] || { echo "gpu_run: $1 needs a value" >&2; exit 2; }; }
while (($#)); do
  case $1 in
    --minutes) need "$@"; minutes=$2; shift 2 ;;
    --out) need "$@"; out=$2; shift 2 ;;
    --archive) need "$@"; archive=$2; shift 2 ;;
    --programs) need "$@"; programs=$2; shift 2 ;;
    --dry-run) dry=1; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "gpu_run: unknown option $1; --help lists them" >&2; exit 2 ;;
    *) parts+=("$1"); shift ;;
  esac
done
if [[ ! $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
  echo "gpu_run: --minutes takes a number, not '$minutes'" >&2
  exit 2
fi
for part in "${parts[@]}"; do
  if [[ " ${all[*]} " != *" $part "* ]]; then
    echo "gpu_run: unknown part '$part'; parts are ${all[*]}" >&2
    exit 2
  fi
done
((${#parts[@]})) || parts=("${all[@]}")
case $programs in "" | /*) ;; *) programs=$PWD/$programs ;; esac
case $archive in "" | /*) ;; *) archive=$PWD/$archive ;; esac
case $out in "" | /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$0")/.."
root=$PWD
out=${out:-${OUT:-$root/runs/gpu}}
mkdir -p "$out/logs" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A run that is interrupted still ends with its table.
trap 'stopped=1; [[ -n ${child:-} ]] && kill -TERM "$child" 2>/dev/null' INT TERM
stopped=0 child=""
start=$SECONDS
deadline=$(awk -v m="$minutes" 'BEGIN { printf "%d", m * 60 }')

# Where programs and libraries are.
if ((dry)); then
  device=cpu
  programs=${programs:-${CARGO_TARGET_DIR:-$root/target}/release}
else
  device=cuda
  if ! command -v nvidia-smi >/dev/null; then
    echo "gpu_run: no NVIDIA driver here (nvidia-smi is missing); --dry-run needs none" >&2
    exit 1
  fi
  if [[ -z $programs ]]; then
    for file in "$archive" "$root/target/gpu.tar.xz" "$root/gpu.tar.xz"; do
      [[ -f $file ]] && { archive=$file; break; }
    done
    if [[ ! -f $archive ]]; then
      echo "gpu_run: no archive; make one with scripts/gpu_pack.sh, or name one with --archive" >&2
      exit 1
    fi
    tar -C "$work" -xf "$archive" || exit 1
    cap=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d '. ')
    for folder in "$work/gpu/sm_$cap" "$work/gpu/sm_90" "$work/gpu/sm_80"; do
      [[ -d $folder && ${folder##*_} -le $cap ]] && { programs=$folder; break; }
    done
    if [[ -z $programs ]]; then
      echo "gpu_run: the archive has no programs for compute capability $cap" >&2
      exit 1
    fi
  fi
  libraries=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0] + "/cu13/lib")' 2>/dev/null)
  [[ -d $libraries ]] && export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  nvidia-smi >"$out/logs/nvidia-smi.log" 2>&1
fi
f1=$programs/f1
if [[ ! -x $f1 ]]; then
  echo "gpu_run: no program $f1; build it (./f1 build), or name a folder with --programs" >&2
  exit 1
fi

# Seconds that a part may take of those that are left; the last one takes the rest.
declare -A limits=([kernels]=60 [verify]=60 [graphs]=60 [bench]=130 [torch]=60 [ncu]=40 [train]=110)
limits[foresight]=3600

export root out work programs device dry f1
summary=$work/parts.jsonl
: >"$summary"
for part in "${all[@]}"; do
  [[ " ${parts[*]} " == *" $part "* ]] || continue
  left=$((deadline - (SECONDS - start)))
  log=$out/logs/$part.log
  began=$SECONDS
  rm -f "$work/reason" "$log"
  if ((stopped)); then
    state=stopped
  elif ((left < 5)); then
    state="no time left"
  else
    limit=${limits[$part]}
    ((limit > left)) && limit=$left
    printf '== %s (at most %d s)\n' "$part" "$limit"
    timeout --signal=INT --kill-after=10 "$limit" \
      "$BASH" "$root/scripts/gpu_run.sh" --part "$part" >"$log" 2>&1 </dev/null &
    child=$!
    while kill -0 "$child" 2>/dev/null; do wait "$child" 2>/dev/null; status=$?; done
    child=""
    case $status in
      0) state=passed ;;
      77) state="left out: $(cat "$work/reason" 2>/dev/null)" ;;
      *) state="failed ($status)" ;;
    esac
    ((stopped)) && state=stopped
    if ((SECONDS - began >= limit)); then
      state="ended by its limit"
      # A training is meant to take the time that there is.
      [[ $part == foresight ]] && state="passed (ended by its limit)"
    fi
  fi
  python3 scripts/gpu_table.py part "$part" "$state" $((SECONDS - began)) "$log" >>"$summary"
done
python3 scripts/gpu_table.py table "$summary" "$out/summary.json"
