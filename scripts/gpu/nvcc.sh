#!/usr/bin/env bash
# Prints the path of CUDA's compiler: $MINESEAL_NVCC, else one from PyPI, which is installed on the first call into a
# folder outside the checkout (271 MB; it needs no device and no driver).
set -euo pipefail
if [ -n "${MINESEAL_NVCC:-}" ]; then
  printf '%s\n' "$MINESEAL_NVCC"
  exit 0
fi
folder="${MINESEAL_CUDA_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/mineseal/tools/cuda}"
compiler="$folder/nvidia/cu13/bin/nvcc"
if [ ! -x "$compiler" ]; then
  # 13.0, as the drivers from 580 on have it: a newer one writes PTX that they cannot read.
  python3 -m pip install --quiet --no-deps --no-compile --only-binary=:all: --target "$folder" \
    nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96 \
    nvidia-cuda-cccl==13.0.85 >&2
fi
printf '%s\n' "$compiler"
