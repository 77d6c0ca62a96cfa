#!/usr/bin/env python3
"""mineseal on a real Kubernetes: installed, upgraded in mid-run, killed, drained, rolled back, taken away.

    test.py --programs target/release [--rounds base,upgrade] [--logs FOLDER]

Needs root, and what `scripts/setup.sh cluster` installs. Touches nothing on the machine but /var/tmp, the cache and
LOGS, where the logs stay when a check failed. The last line says how many checks passed and failed.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import rounds
from cluster import Cluster
from engines import cache
from product import ROOT, Clip, Product
from report import Report, say

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import image  # noqa: E402


def output(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return done.stdout.strip()


def rendered(programs, version):
    """The demo's clips of shaft mouths, rendered once and kept."""
    folder = cache() / f"tools/cluster/clips-{version}"
    if not folder.is_dir():
        say("rendering the mines")
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder.parent))
        output(programs / "mineseal", "scene", "demo", work)
        # Pods read it as another user.
        work.chmod(0o755)
        work.rename(folder)
    return {path.name[18:20]: Clip(path) for path in sorted(folder.glob("*4201-*.mp4"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rounds", default=",".join(rounds.ROUNDS), help="those to run, in the order of the default")
    parser.add_argument("--image", type=Path, metavar="FILE.tar", help="an image that scripts/k8s/image.py made before")
    parser.add_argument("--logs", type=Path, default=Path("/tmp/mineseal-test-k8s"), metavar="FOLDER")
    arguments = parser.parse_args()
    wanted = arguments.rounds.split(",")
    if unknown := set(wanted) - set(rounds.ROUNDS):
        parser.error(f"no such rounds: {', '.join(sorted(unknown))}; there are {', '.join(rounds.ROUNDS)}")
    # An end from outside unwinds too, so that nothing stays.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))

    programs = arguments.programs.resolve()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    report = Report()
    binaries = Path(output(HERE / "binaries/build.sh"))
    clips = rendered(programs, version)
    work = Path(tempfile.mkdtemp(prefix="mineseal-image-", dir="/var/tmp"))
    cluster = None
    try:
        tar = arguments.image or work / "mineseal.tar"
        with report.check("image") as details:
            if not arguments.image:
                _, layers, packed = image.build(programs, tar, f"mineseal:{version}", version)
                details.append(f"{sum(layers) / 2**20:.0f} MiB unpacked, {packed / 2**20:.0f} MiB packed")
            rounds.look_at_image(tar, details)
        cluster = Cluster(programs, binaries, [tar], arguments.logs)
        with report.check("cluster of one node from nothing") as details:
            plan, ready = cluster.start()
            details.append(f"control plane after {plan:.0f} s, node after {ready:.0f} s")
        with report.check("second node"):
            cluster.add_node(2)
        cluster.engines.wait_until_ready()
        product = Product(cluster.control, cluster.engines, cluster.nodes, HERE / "values.yaml", clips)
        for name in wanted:
            product.nodes = cluster.nodes
            rounds.ROUNDS[name](report, cluster, product)
    finally:
        if cluster:
            if report.failed or sys.exc_info()[0]:
                cluster.keep()
                say(f"logs are in {arguments.logs}")
            cluster.stop()
        subprocess.run(["rm", "-rf", work], check=False)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
