#!/usr/bin/env bash
# bench.sh [FOLDER]: images a second on a device, beside PyTorch with the same net (which has to be installed), in turns;
# the last line is one JSON object. FOLDER as for test.sh. MINESEAL_PICTURES names a folder of JPEG files.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/environment.sh"
pictures="${MINESEAL_PICTURES:?names a folder of JPEG files}"
if [ $# -gt 0 ]; then
  exec python3 "$1/bench_gpu.py" "$1/device_rounds" "$1/mineseal-yolox-nano.safetensors" "$pictures"/*.jpg
fi
cd "$here/../.."
MINESEAL_NVCC="$(scripts/gpu/nvcc.sh)"
export MINESEAL_NVCC
cargo build --release --locked -p mineseal-detector --features cuda --example device_rounds
exec python3 benches/detector/bench_gpu.py "${CARGO_TARGET_DIR:-target}/release/examples/device_rounds" \
  config/models/mineseal-yolox-nano.safetensors "$pictures"/*.jpg
