#!/usr/bin/env bash
# Fetches Prometheus out of Debian's package and builds an OpenTelemetry Collector out of its Go modules, once and outside the
# checkout; prints their folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
collector=v0.165.0

tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools/observability"
mkdir -p "$tools"
say() { printf '[observability] %s\n' "$*" >&2; }
exec 9>"$tools/lock"
flock 9

"$here/../debian_program.sh" prometheus prometheus "$tools"

if [ ! -x "$tools/collector-$collector" ]; then
  go=$("$here/../go.sh" "$tools")
  PATH="$go:$PATH"
  building=$(mktemp -d "$tools/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  say "building OpenTelemetry Collector $collector; minutes"
  cat >"$building/builder.yaml" <<YAML
dist:
  name: collector
  description: receives traces of the tests and prints them
  output_path: $building/source
  version: ${collector#v}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver $collector
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter $collector
YAML
  export CGO_ENABLED=0 GOGC=400 GOFLAGS="-trimpath -buildvcs=false -gcflags=all=-l"
  (cd "$building" && GOBIN="$building" go install "go.opentelemetry.io/collector/cmd/builder@$collector" >&2)
  # The builder compiles with flags of its own.
  (cd "$building" && ./builder --config builder.yaml --skip-compilation >&2)
  (cd "$building/source" && go build -ldflags "-s -w" -o "$building/collector" . >&2)
  mv "$building/collector" "$tools/collector-$collector"
fi
ln -sf "collector-$collector" "$tools/collector"
echo "$tools"
