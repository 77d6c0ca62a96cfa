#!/usr/bin/env bash
# test.sh [FOLDER]: the tests of the device's kernels and of the net on it, which fail where there is no device. FOLDER
# holds what `build.sh FOLDER checks` made, for machines without Rust. MINESEAL_PICTURES names a folder of JPEG files
# whose boxes are compared with the processor's.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/environment.sh"
export MINESEAL_REQUIRE_DEVICE=1
if [ $# -gt 0 ]; then
  "$1/kernels_test" --nocapture
  "$1/device_test" --nocapture
  exit 0
fi
cd "$here/../.."
MINESEAL_NVCC="$(scripts/gpu/nvcc.sh)"
export MINESEAL_NVCC
cargo test --release --locked -p mineseal-kernels-cuda --features device,emulation --lib -- --nocapture
cargo test --release --locked -p mineseal-detector --features cuda --test device -- --nocapture
