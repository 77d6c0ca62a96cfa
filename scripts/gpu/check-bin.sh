#!/usr/bin/env bash
# check-bin.sh FOLDER: that the programs of `build.sh FOLDER bin` hold kernels, and where there is no device end like
# with any other wrong setting: code 64 and a line that says what is missing.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/environment.sh"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
code=0
"$1/mineseal" detect --device cuda:0 "$folder/none.jpg" 2>"$folder/text" || code=$?
cat "$folder/text"
if grep -q 'cannot read' "$folder/text"; then
  echo "there is a device here: the picture was looked for"
elif [ "$code" -ne 64 ] || ! grep -q 'NVIDIA' "$folder/text"; then
  echo "mineseal: code $code, expected 64 and a word about the device" >&2
  exit 1
fi
code=0
"$1/mineseal" detect --device cuda:none "$folder/none.jpg" 2>"$folder/text" || code=$?
grep -q 'is no device' "$folder/text" || { cat "$folder/text" >&2; exit 1; }
code=0
KAFKA_BROKERS=127.0.0.1:9 MINESEAL_INFERENCE__DEVICE=cuda:0 MINESEAL_TELEMETRY__LISTEN=127.0.0.1:0 \
  timeout 20 "$1/mineseal-inference" >"$folder/text" 2>&1 || code=$?
if [ "$code" -ne 64 ] && [ "$code" -ne 124 ] || { [ "$code" -eq 64 ] && ! grep -q 'inference.device' "$folder/text"; }; then
  cat "$folder/text" >&2
  echo "inference: code $code, expected 64 and a word about the device" >&2
  exit 1
fi
grep -a 'inference.device' "$folder/text" || echo "inference went on: there is a device here"
