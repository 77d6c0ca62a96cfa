#!/usr/bin/env bash
# Prints the path of helm: the one on the PATH, or one built once from its Go module, outside the checkout.
set -euo pipefail
if command -v helm; then exit 0; fi
version=v3.18.6
tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools/bin"
if [ ! -x "$tools/helm-$version" ]; then
  command -v go >/dev/null || { echo "neither helm nor go is here" >&2; exit 1; }
  building=$(mktemp -d)
  trap 'rm -rf "$building"' EXIT
  GOBIN="$building" go install "helm.sh/helm/v3/cmd/helm@$version" >&2
  mkdir -p "$tools"
  mv "$building/helm" "$tools/helm-$version"
fi
echo "$tools/helm-$version"
