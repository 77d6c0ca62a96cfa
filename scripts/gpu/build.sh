#!/usr/bin/env bash
# build.sh OUT [bin|checks]: programs for a machine with an NVIDIA device, built on one without.
#   bin      the command and the service `inference`, with every feature; without a device they say so and go on on
#            the processor where that is asked for
#   checks   what test.sh and bench.sh run where there is no Rust
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$1" what="${2:-bin}"
MINESEAL_NVCC="$(scripts/gpu/nvcc.sh)"
export MINESEAL_NVCC
target="${CARGO_TARGET_DIR:-target}"
mkdir -p "$out"
if [ "$what" = bin ]; then
  # All crates' features as in every other build, so that nothing else has to be built anew.
  cargo build --release --locked --workspace --bin mineseal --bin mineseal-inference \
    --features mineseal/cuda,mineseal-inference/cuda
  for program in mineseal mineseal-inference; do
    strip -o "$out/$program" "$target/release/$program"
  done
  ls -l "$out/mineseal" "$out/mineseal-inference"
  exit 0
fi
# The name of the test program stands in cargo's messages.
executable() {
  cargo "$@" --message-format=json | python3 -c '
import json, sys
found = [json.loads(line).get("executable") for line in sys.stdin]
print([path for path in found if path][-1])'
}
strip -o "$out/kernels_test" "$(executable test --release --locked --no-run -p mineseal-kernels-cuda --features device,emulation --lib)"
strip -o "$out/device_test" "$(executable test --release --locked --no-run -p mineseal-detector --features cuda --test device)"
strip -o "$out/device_rounds" "$(executable build --release --locked -p mineseal-detector --features cuda --example device_rounds)"
cp config/models/mineseal-yolox-nano.safetensors "$out/"
cp scripts/gpu/{test.sh,bench.sh,environment.sh} benches/detector/bench_gpu.py "$out/"
ls -l "$out"
