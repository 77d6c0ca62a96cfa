#!/usr/bin/env bash
# Our tracker beside PyPI's `trackers`: accuracy on given detections, speed, memory. Prints tables.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
environment=$target/tracker-venv
if ! "$environment/bin/python" -c 'import trackers, motmetrics' 2>/dev/null; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --requirement benches/tracking/requirements.txt
fi

export MINESEAL_BENCH_WORKLOAD=$target/tracker-workload.csv
${CARGO:-cargo} bench --locked -p mineseal-benches --bench tracking -- --noplot
"$environment/bin/python" benches/tracking/compare.py \
    --data ../shared/data/mot \
    --mineseal "$target/release/mineseal" \
    --workload "$MINESEAL_BENCH_WORKLOAD" \
    --estimates "$target/criterion/ten people, 100 camera frames"
