#!/usr/bin/env bash
# Installs, once and outside the checkout, what checks the chart; prints the folder where it lies.
#   tools.sh helm   the Python environment with helm, kubernetes-validate, pytest
#   tools.sh        that, promtool, and the definitions (CRDs) of KEDA, Strimzi, the Prometheus
#                   operator and the Gateway API
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
requirements="$here/requirements.txt"
keda=v2.21.0
gateway=v1.4.0
prometheus=v0.85.0
strimzi=0.51.0

tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools/charts"
mkdir -p "$tools"
say() { printf '[chart tools] %s\n' "$*" >&2; }

# Two checks that start together must not install over each other.
exec 9>"$tools/lock"
flock 9

stamp=$(sha256sum "$requirements" | cut -c1-16)
if [ "$(cat "$tools/python.stamp" 2>/dev/null)" != "$stamp" ]; then
  say "installing the Python environment"
  rm -rf "$tools/python" "$tools/python.stamp"
  if ! python3 -m venv "$tools/python" >&2; then
    say "python3 with venv is needed: apt-get install python3-venv"
    exit 1
  fi
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  echo "$stamp" >"$tools/python.stamp"
fi
if [ "${1:-}" = helm ]; then
  echo "$tools"
  exit 0
fi

"$here/../debian_program.sh" prometheus promtool "$tools"

# The operators' own definitions: from their Go modules (no build), Strimzi's out of its Java classes.
stamp="$keda $gateway $prometheus $strimzi"
if [ "$(cat "$tools/crds.stamp" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$tools/crds" "$tools/crds.stamp"
  mkdir -p "$tools/crds"
  if command -v go >/dev/null; then
    say "fetching the definitions of KEDA, of the Prometheus operator and of the Gateway API"
    folder() { (cd / && GOFLAGS=-mod=mod go mod download -json "$1") | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }
    cp "$(folder "github.com/kedacore/keda/v2@$keda")"/config/crd/bases/keda.sh_{scaledobjects,triggerauthentications}.yaml "$tools/crds/"
    cp "$(folder "github.com/prometheus-operator/prometheus-operator@$prometheus")"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml "$tools/crds/"
    cp "$(folder "sigs.k8s.io/gateway-api@$gateway")"/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml "$tools/crds/"
  else
    say "skipped: no Go here, so the definitions of KEDA, the Prometheus operator and the Gateway API are not compared with"
  fi
  if command -v mvn >/dev/null && command -v java >/dev/null; then
    "$here/strimzi_definitions.sh" "$strimzi" "$tools/crds" >&2
  else
    say "skipped: no Maven or Java here, so Strimzi's definitions are not compared with"
  fi
  echo "$stamp" >"$tools/crds.stamp"
fi
echo "$tools"
