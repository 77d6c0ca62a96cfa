#!/usr/bin/env bash
# Prints the path of helm: the one on the PATH; else the one of the chart's tools (a wheel); else one that is built
# once from its Go module, outside the checkout.
set -euo pipefail
if command -v helm; then exit 0; fi
if tools=$("$(dirname "$0")/k8s/tools.sh" helm); then
  echo "$tools/python/bin/helm"
  exit 0
fi
version=v3.18.6
tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools/bin"
if [ ! -x "$tools/helm-$version" ]; then
  command -v go >/dev/null || { echo "neither helm nor go is here, and the wheel cannot be installed" >&2; exit 1; }
  building=$(mktemp -d)
  trap 'rm -rf "$building"' EXIT
  GOBIN="$building" go install "helm.sh/helm/v3/cmd/helm@$version" >&2
  mkdir -p "$tools"
  mv "$building/helm" "$tools/helm-$version"
fi
echo "$tools/helm-$version"
