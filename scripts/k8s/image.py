#!/usr/bin/env python3
"""Puts all services into one OCI image, without a container daemon and without root.

    image.py --programs target/release --out mineseal.tar [--name mineseal:0.1.0]

In it: the programs, the shared libraries that they name (from this machine), certificates, users, nothing else: no shell,
no package manager. The same programs and libraries give the same image, byte for byte. Beside OUT lie:
    OUT's stem + .cdx.json      the bill of materials (CycloneDX): crates and Debian packages, also in the image
    OUT's stem + .layers/       the layers as plain tars, for the Containerfile
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    "mineseal",
    "mineseal-frame-extractor",
    "mineseal-inference",
    "mineseal-counter",
    "mineseal-clickhouse-sink",
    "mineseal-platform-forwarder",
    "mineseal-console",
]
USER = 10001
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/:/nonexistent\nmineseal:x:{USER}:{USER}:mineseal:/data:/nonexistent\n",
    "etc/group": f"root:x:0:\nmineseal:x:{USER}:\n",
    # Names are looked up in /etc/hosts, which the kubelet writes, and by DNS.
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def libraries(program):
    """Shared libraries of a program by the paths where it looks for them; one that is missing ends the build."""
    found = set()
    for line in run("ldd", program).splitlines():
        if "not found" in line:
            sys.exit(f"{program}: {line.strip()}: install the package that has it")
        if path := re.search(r"(?:=> )?(/\S+) \(0x", line):
            found.add(path.group(1))
    return found


class Layer:
    """A layer in the making: sorted, without times and owners of this machine."""

    def __init__(self):
        self.entries = {}

    def folder(self, path, mode=0o755, owner=0):
        self.entries[path.strip("/")] = (tarfile.DIRTYPE, mode, owner, b"")

    def file(self, path, content, mode=0o644):
        path = path.strip("/")
        for parent in reversed([str(parent) for parent in Path(path).parents][:-1]):
            if parent not in self.entries:
                self.folder(parent)
        self.entries[path] = (tarfile.REGTYPE, mode, 0, content)

    def link(self, path, target):
        self.entries[path.strip("/")] = (tarfile.SYMTYPE, 0o777, 0, target.encode())

    def tar(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, (kind, mode, owner, content) in sorted(self.entries.items()):
                entry = tarfile.TarInfo(path)
                entry.type, entry.mode, entry.uid, entry.gid = kind, mode, owner, owner
                if kind == tarfile.SYMTYPE:
                    entry.linkname = content.decode()
                    tar.addfile(entry)
                else:
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
        return buffer.getvalue()


def base_layer(paths):
    """What changes with the machine's packages only."""
    layer = Layer()
    for folder in ("etc", "usr", "usr/bin", "usr/lib", "usr/local"):
        layer.folder(folder)
    # As Debian has it, so that libraries are found under both names.
    for name in ("lib", "lib64"):
        layer.folder(f"usr/{name}")
        layer.link(name, f"usr/{name}")
    layer.folder("tmp", 0o1777)
    layer.folder("data", 0o755, USER)
    for path, text in TEXTS.items():
        layer.file(path, text.encode())
    if CERTIFICATES.exists():
        layer.file(str(CERTIFICATES), CERTIFICATES.read_bytes())
    for path in sorted(paths):
        place = re.sub(r"^/(lib|lib64)/", r"/usr/\1/", path)
        layer.file(place, Path(path).read_bytes(), 0o755)
    return layer


def debian_packages(paths):
    """Name, version and architecture of the packages that the libraries come from."""
    wanted = {re.sub(r"^/usr/", "/", name) for path in paths for name in (path, os.path.realpath(path))}
    # One look at dpkg's own lists: a query for each of a hundred libraries reads all of them a hundred times.
    names = {
        file.stem
        for file in Path("/var/lib/dpkg/info").glob("*.list")
        if any(re.sub(r"^/usr/", "/", line) in wanted for line in file.read_text(errors="replace").splitlines())
    }
    if not names:
        return []
    lines = run("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n", *sorted(names))
    return sorted({tuple(line.split()) for line in lines.splitlines()})


def crates(programs):
    """Name, version and licence of every crate that is linked into the programs."""
    workspace = {package["name"]: package for package in json.loads(
        run("cargo", "metadata", "--format-version=1", "--no-deps", "--locked"))["packages"]}
    host = re.search("host: (.*)", run("rustc", "--version", "--verbose")).group(1)
    owners = [name for name, package in workspace.items()
              if {target["name"] for target in package["targets"] if "bin" in target["kind"]} & set(programs)]
    found = set()
    for owner in owners:
        # Under a sign of our own between the fields: licences have spaces.
        for line in run("cargo", "tree", "--locked", "--package", owner, "--edges", "normal", "--target", host,
                        "--prefix", "none", "--format", "{p}\t{l}").splitlines():
            package, _, licence = line.replace(" (*)", "").partition("\t")
            name, version = package.split()[:2]
            found.add((name, version.removeprefix("v"), licence.strip()))
    return sorted(found)


def bill(version, programs, paths):
    """The bill of materials in CycloneDX 1.5."""
    components = [
        {"type": "library", "name": name, "version": number, "purl": f"pkg:cargo/{name}@{number}",
         **({"licenses": [{"expression": licence.replace("/", " OR ")}]} if licence else {})}
        for name, number, licence in crates(programs)
    ]
    components += [
        {"type": "library", "name": name, "version": number, "purl": f"pkg:deb/debian/{name}@{number}?arch={architecture}"}
        for name, number, architecture in debian_packages(paths)
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "mineseal", "version": version}},
        "components": components,
    }


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def oci(name, version, layers, entry=None):
    """The image as the bytes of a tar in OCI layout, which `ctr images import`, podman and skopeo take. Without an
    `entry` whoever runs it says what."""
    packed = [gzip.compress(layer, 6, mtime=0) for layer in layers]
    architecture = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    labels = {
        "org.opencontainers.image.title": "mineseal",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    config = compact({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "WorkingDir": "/data",
            "Env": ["PATH=/usr/local/bin", "SSL_CERT_FILE=" + str(CERTIFICATES)],
            "Labels": labels,
            **({"Entrypoint": entry} if entry else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        "history": [{"created_by": "scripts/k8s/image.py"} for _ in layers],
    })
    manifest = compact({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}
                   for layer in packed],
    })
    index = compact({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest(manifest),
            "size": len(manifest),
            "platform": {"architecture": architecture, "os": "linux"},
            "annotations": {
                # containerd takes the name as it stands and looks it up with the registry that it assumes.
                "io.containerd.image.name": name if "/" in name else f"docker.io/library/{name}",
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            },
        }],
    })
    outer = Layer()
    outer.file("oci-layout", compact({"imageLayoutVersion": "1.0.0"}))
    outer.file("index.json", index)
    for blob in (config, manifest, *packed):
        outer.file("blobs/sha256/" + digest(blob).removeprefix("sha256:"), blob)
    return outer.tar(), digest(manifest)


def stripped(program):
    """A program without the symbols that only a debugger reads."""
    copy = Path(f"/tmp/mineseal-image-{os.getpid()}")
    try:
        subprocess.run(["strip", "--strip-all", "-o", copy, program], check=True)
        return copy.read_bytes()
    finally:
        copy.unlink(missing_ok=True)


def build(folder, out, name, version, programs=PROGRAMS, with_bill=True):
    """Writes the image and what lies beside it; returns its digest and the sizes of its layers."""
    missing = [program for program in programs if not (folder / program).is_file()]
    if missing:
        sys.exit(f"{folder} has no {', '.join(missing)}: cargo build --release --locked --bins")
    paths = set().union(*(libraries(folder / program) for program in programs))
    base, top = base_layer(paths), Layer()
    for program in programs:
        top.file(f"usr/local/bin/{program}", stripped(folder / program), 0o755)
    if with_bill:
        materials = json.dumps(bill(version, programs, paths), indent=1).encode()
        top.file("usr/share/mineseal/sbom.cdx.json", materials)
        out.with_suffix(".cdx.json").write_bytes(materials)
    layers = [base.tar(), top.tar()]
    image, identity = oci(name, version, layers)
    out.write_bytes(image)
    beside = out.with_suffix(".layers")
    beside.mkdir(exist_ok=True)
    for file, layer in zip(("base.tar", "programs.tar"), layers, strict=True):
        (beside / file).write_bytes(layer)
    return identity, [len(layer) for layer in layers], len(image)


def main():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.tar")
    parser.add_argument("--name", default=f"mineseal:{version}")
    arguments = parser.parse_args()
    identity, sizes, packed = build(arguments.programs, arguments.out, arguments.name, version)
    mebibytes = " + ".join(f"{size / 2**20:.1f}" for size in sizes)
    print(f"{arguments.name} {identity}: {mebibytes} MiB unpacked, {packed / 2**20:.1f} MiB packed")


if __name__ == "__main__":
    main()
