#!/usr/bin/env bash
# setup-cuda.sh: a CUDA 13.0 compiler and link libraries from Python wheels, without a GPU and
# without root. With them the CUDA build works on any x86-64 Linux machine; the program is then
# copied to one with a GPU.
#
#   scripts/setup-cuda.sh [DIR]    DIR defaults to ~/.cache/cuda13; takes 2 GB; run it again to
#                                  add what is missing
#   source DIR/env.sh              then build with --features cuda
#
# Where it runs, the program needs an NVIDIA driver (580 or later) and, on LD_LIBRARY_PATH,
# libcublas.so.13, libcublasLt.so.13, libcurand.so.10 and libcudart.so.13 of any CUDA 13.0 install.
# DIR's libcuda.so is a stub for the linker alone: never put DIR on LD_LIBRARY_PATH.
set -euo pipefail

dir=${1:-$HOME/.cache/cuda13}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
say() { printf 'setup-cuda: %s\n' "$*" >&2; }

[[ -x $dir/venv/bin/python ]] || python3 -m venv "$dir/venv"
say "fetching the compiler and libraries into $dir"
"$dir/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps \
  nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-cuda-nvrtc==13.0.88 \
  nvidia-cublas==13.1.0.3 nvidia-curand==10.4.0.35

# The wheels share one tree; build scripts expect the layout of a CUDA install.
tree=$(echo "$dir"/venv/lib/python3.*/site-packages/nvidia/cu13)
home=$dir/home
mkdir -p "$home/lib64/stubs"
for part in bin include nvvm; do ln -sfn "$tree/$part" "$home/$part"; done
ln -sfn lib64 "$home/lib"
for library in "$tree"/lib/*; do
  [[ -f $library ]] || continue
  name=$(basename "$library")
  ln -sf "$library" "$home/lib64/$name"
  # The linker looks for the name without a version.
  case $name in *.so.*) ln -sf "$library" "$home/lib64/${name%%.so.*}.so" ;; esac
done

# A driver library for the linker: every function that the crate cudarc declares returns
# CUDA_ERROR_NO_DEVICE (100).
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
bindings=$({ find "$registry" -path '*/cudarc-0.*/src/driver/sys/mod.rs' 2>/dev/null || true; } \
  | sort -V | tail -n 1)
if [[ -z $bindings ]]; then
  say "error: cargo has not fetched the crate cudarc yet: run 'cargo fetch', then this again"
  exit 1
fi
grep -oE 'fn cu[A-Z][A-Za-z0-9_]*' "$bindings" \
  | awk '{print "int " $2 "(void) { return 100; }"}' | sort -u > "$home/stub.c"
cc -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$home/lib64/stubs/libcuda.so" "$home/stub.c"

cat > "$dir/env.sh" <<ENV
export CUDA_HOME=$home CUDA_PATH=$home CUDA_ROOT=$home NVCC=$home/bin/nvcc
export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-90} CUDARC_CUDA_VERSION=13000
export LIBRARY_PATH=$home/lib64:$home/lib64/stubs\${LIBRARY_PATH:+:\$LIBRARY_PATH}
export PATH=$home/bin:\$PATH
ENV
"$home/bin/nvcc" --version | tail -n 2 >&2
say "ready: source $dir/env.sh"
