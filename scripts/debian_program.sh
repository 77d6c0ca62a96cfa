#!/usr/bin/env bash
# Puts a program of a Debian package into FOLDER, without installing the package, which would start a service of its own.
#   debian_program.sh PACKAGE PROGRAM FOLDER
set -euo pipefail
package=$1 program=$2 folder=$3
[ -x "$folder/$program" ] && exit 0
if found=$(command -v "$program"); then
  ln -sf "$found" "$folder/$program"
  exit 0
fi
echo "[$package] fetching $program from Debian's package" >&2
unpacking=$(mktemp -d)
trap 'rm -rf "$unpacking"' EXIT
# apt downloads as a user of its own, who must be able to write here.
chmod 777 "$unpacking"
cd "$unpacking"
apt-get download -qq "$package" >&2 || { apt-get update -qq >&2 && apt-get download -qq "$package" >&2; }
dpkg-deb --extract "$package"_*.deb root
mv "root/usr/bin/$program" "$folder/$program"
