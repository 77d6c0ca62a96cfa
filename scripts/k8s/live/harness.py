"""What every test of the live cluster does around its rounds: programs, image, cluster, report, and all taken away."""

import argparse
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from cluster import Cluster
from engines import cache
from product import ROOT, Clip, Product
from report import Report, say
from rounds import look_at_image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import image  # noqa: E402


def output(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return done.stdout.strip()


def built(*what):
    """The folder of the programs that are built once."""
    return Path(output(HERE / "binaries/build.sh", *what))


def rendered(programs, version):
    """The demo's clips of shaft mouths, by their mine; rendered once and kept."""
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


def arguments_of(description, rounds):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rounds", default=",".join(rounds), help="those to run, in the order of the default")
    parser.add_argument("--image", type=Path, metavar="FILE.tar", help="an image that scripts/k8s/image.py made before")
    parser.add_argument("--logs", type=Path, default=Path("/tmp/mineseal-test-k8s"), metavar="FOLDER")
    arguments = parser.parse_args()
    wanted = arguments.rounds.split(",")
    if unknown := set(wanted) - set(rounds):
        parser.error(f"no such rounds: {', '.join(sorted(unknown))}; there are {', '.join(rounds)}")
    return arguments, wanted


def with_cluster(description, rounds, nodes, more=()):
    """Starts a cluster of so many nodes, runs the rounds, takes everything away; the exit code. `more` names what is to be
    built beside Kubernetes."""
    arguments, wanted = arguments_of(description, rounds)
    # An end from outside unwinds too, so that nothing stays.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    programs = arguments.programs.resolve()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    report = Report()
    binaries, beside = built(), [built(each) for each in more]
    clips = rendered(programs, version)
    cluster = None
    with tempfile.TemporaryDirectory(prefix="mineseal-image-", dir="/var/tmp") as work:
        try:
            tar = arguments.image or Path(work) / "mineseal.tar"
            with report.check("image") as details:
                if not arguments.image:
                    _, layers, packed = image.build(programs, tar, f"mineseal:{version}", version)
                    details.append(f"{sum(layers) / 2**20:.0f} MiB unpacked, {packed / 2**20:.0f} MiB packed")
                look_at_image(tar, details)
            cluster = Cluster(programs, binaries, [tar], arguments.logs)
            cluster.beside = beside
            with report.check("cluster of one node from nothing") as details:
                plan, ready = cluster.start()
                details.append(f"control plane after {plan:.0f} s, node after {ready:.0f} s")
            for number in range(2, nodes + 1):
                with report.check(f"node {number}"):
                    cluster.add_node(number)
            with report.check("ClickHouse beside it"):
                cluster.engines.wait_until_ready()
            # Without all that nothing else is worth a try.
            if not report.failed:
                product = Product(cluster, clips)
                for name in wanted:
                    rounds[name](report, cluster, product)
        finally:
            if cluster:
                if report.failed or sys.exc_info()[0]:
                    cluster.keep()
                    say(f"logs are in {arguments.logs}")
                cluster.stop()
    return report.close()
