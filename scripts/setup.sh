#!/usr/bin/env bash
# Installs what is missing on a Debian machine.
#   scripts/setup.sh run    to build mineseal and run it
#   scripts/setup.sh test   that, and what the tests need beside it
#   scripts/setup.sh cluster  what `run` does, and what a Kubernetes on this machine needs
set -euo pipefail

build="build-essential pkg-config cmake nasm clang libclang-dev libssl-dev zlib1g-dev
  libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libavfilter-dev"
# Kafka runs on Java 17 and is fetched by Maven, the ClickHouse engine by npm; the font draws the scenes' text.
run="default-jre-headless maven npm fonts-wqy-microhei ca-certificates"
# A real browser, a real RTSP server, charts.
test="chromium chromium-driver ffmpeg python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly python3-venv"

# Kubernetes' own programs are built from Go modules (scripts/k8s/live/binaries), these lie under them.
cluster="containerd runc containernetworking-plugins nftables iptables conntrack iproute2 openssl python3-venv"

wanted="$build $run"
case "${1:-run}" in
  test) wanted="$wanted $test" ;;
  cluster) wanted="$wanted $cluster" ;;
esac

say() { printf '[setup] %s\n' "$*"; }

present() {
  case "$1" in
    # Another distribution's Java, Maven or Node does as well.
    default-jre-headless) command -v java >/dev/null && return 0 ;;
    maven) command -v mvn >/dev/null && return 0 ;;
    npm) command -v npm >/dev/null && return 0 ;;
  esac
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

missing=""
for package in $wanted; do
  present "$package" || missing="$missing $package"
done

if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null; then
    say "there is no apt here; install by hand what these Debian packages bring:"
    printf '  %s\n' $missing
    exit 1
  fi
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "not root and no sudo; as root: apt-get install$missing"; exit 1; }
    as_root="sudo"
  fi
  say "installing:$missing"
  $as_root apt-get update -qq
  # One after the other: a large transaction can break half-way on a slow mirror.
  for package in $missing; do
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null \
      || { $as_root apt-get install -f -y -qq >/dev/null
           $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null; }
  done
fi

if ! command -v cargo >/dev/null; then
  say "Rust is missing: install it from https://rustup.rs (rust-toolchain.toml names the version)"
  exit 1
fi
say "everything is there"
