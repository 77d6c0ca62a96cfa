#!/usr/bin/env bash
# The detector beside ONNX Runtime and OpenVINO, interleaved (benches/detector/bench.py). Needs the folder `shared`
# beside the checkout (weights and frames) and, the first time, PyPI.
#   scripts/bench-detector.sh [--rounds N]
set -euo pipefail
cd "$(dirname "$0")/.."

shared=$(realpath -m ../shared)
for needed in models/yolox_nano.onnx models/yolox_nano.safetensors data/mot/mot17; do
  if [ ! -e "$shared/$needed" ]; then
    printf 'bench-detector needs %s, which is absent\n' "$shared/$needed" >&2
    exit 1
  fi
done

# Large, and the same for every checkout: kept with the user's caches and not in the build folder.
venv="${XDG_CACHE_HOME:-$HOME/.cache}/mineseal/bench-detector"
packages="numpy pillow onnx onnxruntime==1.32.0 openvino==2026.4.1"
if [ "$(cat "$venv/packages" 2>/dev/null)" != "$packages" ]; then
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # one word for each package
  "$venv/bin/pip" install --quiet $packages
  printf '%s\n' "$packages" >"$venv/packages"
fi

# Of the whole workspace, so that the build is shared with the tests.
cargo build --release --locked --workspace --example detector_rounds --example evaluate
examples="${CARGO_TARGET_DIR:-target}/release/examples"
exec "$venv/bin/python" benches/detector/bench.py --shared "$shared" --program "$examples/detector_rounds" \
  --evaluate "$examples/evaluate" --own-weights config/models/mineseal-yolox-nano.safetensors \
  --cache "$(dirname "$venv")/held-out-scenes" "$@"
