#!/usr/bin/env bash
# Everything about the chart, the cluster's documents, alerts and dashboards that can be checked without a cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(scripts/k8s/tools.sh)
python="$tools/python/bin/python"
"$python" scripts/k8s/values_schema.py --check
"$tools/python/bin/helm" lint --strict --quiet helm/mineseal
# No cache in the checkout: it may be read-only.
exec env MINESEAL_CHART_TOOLS="$tools" PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest \
  --quiet -p no:cacheprovider --rootdir=scripts/k8s/checks scripts/k8s/checks "$@"
