#!/usr/bin/env bash
# Packs the programs and GPU tests of a CUDA build into one archive for a machine that has a GPU and
# no compiler: scripts/gpu_run.sh unpacks and runs it there. Goldens, models and run files come from
# the checkout on that machine.
#
#   scripts/gpu_pack.sh [ARCHIVE]     default: target/gpu.tar.xz
#
# F1_GPU_CAPS: compute capabilities to build for (default "90 80": H100 and H200, A100). Needs the
# CUDA compiler: an installed toolkit, or `scripts/setup-cuda.sh` and its env.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
archive=${1:-target/gpu.tar.xz}
caps=${F1_GPU_CAPS:-90 80}
limit=$((20 * 1024 * 1024))

if ! command -v "${NVCC:-nvcc}" >/dev/null; then
  echo "gpu_pack: no CUDA compiler (nvcc); run scripts/setup-cuda.sh and source its env.sh" >&2
  exit 1
fi
for cap in $caps; do
  if [[ ! $cap =~ ^[0-9]{2,3}$ ]]; then
    echo "gpu_pack: F1_GPU_CAPS holds '$cap'; compute capabilities are written as 90 or 80" >&2
    exit 2
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The test program of one crate and target, as cargo names it: `test CRATE (--lib | --test it)`.
test_program() {
  cargo test --locked --release --no-run --message-format=json -p "$1" --features cuda "${@:2}" |
    python3 -c '
import json, sys
found = [m["executable"] for m in map(json.loads, sys.stdin)
         if m.get("reason") == "compiler-artifact" and m["profile"]["test"] and m.get("executable")]
print(found[-1])'
}

for cap in $caps; do
  export CUDA_COMPUTE_CAP=$cap
  folder=$work/gpu/sm_$cap
  mkdir -p "$folder"
  cargo build --locked --release -p f1_cli --bin f1 --features f1_cli/cuda
  cp "${CARGO_TARGET_DIR:-target}/release/f1" "$folder/f1"
  cp "$(test_program f1_kernels --lib)" "$folder/test_kernels"
  cp "$(test_program f1_model --lib)" "$folder/test_model_lib"
  cp "$(test_program f1_model --test it)" "$folder/test_model"
  cp "$(test_program f1_verify --test it)" "$folder/test_verify"
  strip "$folder"/*
done
git rev-parse HEAD >"$work/gpu/commit"
mkdir -p "$(dirname "$archive")"
# A dictionary as long as all programs: most of their code is the same.
tar -C "$work" --sort=name -c gpu | xz -T1 --lzma2=preset=9e,dict=512MiB >"$archive"
size=$(stat -c %s "$archive")
echo "$archive: $((size / 1024)) KiB, compute capabilities $caps"
if ((size > limit)); then
  echo "gpu_pack: the archive is larger than 20 MiB; build for one capability (F1_GPU_CAPS=90)" >&2
  exit 1
fi
