#!/usr/bin/env bash
# Licences, bans and sources of all dependencies; installs cargo-deny once, outside the checkout.
set -euo pipefail
version=0.20.2
tools="${MINESEAL_CACHE:-$HOME/.cache/mineseal}/tools"
deny="$tools/bin/cargo-deny"
if [ ! -x "$deny" ]; then
  if ! cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" cargo-deny --version "$version"; then
    echo "skipped: cargo-deny $version cannot be installed here"
    exit 0
  fi
  rm -rf "$tools/build"
fi
# Advisories need a database from the network that a closed machine does not reach.
"$deny" --offline check bans licenses sources
