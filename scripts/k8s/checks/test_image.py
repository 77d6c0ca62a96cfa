"""The image: whole, without root, the same from the same. With a small program in the services' place."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import image
from conftest import ROOT, pod, render, workloads

PROGRAM = "mineseal"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    # Something that is linked with more than the C library.
    shutil.copy(shutil.which("openssl") or "/bin/ls", folder / PROGRAM)
    out = folder / "mineseal.tar"
    identity, _, _ = image.build(folder, out, "mineseal:1", "1", [PROGRAM], with_bill=False)
    return out, identity


def blobs(out):
    with tarfile.open(out) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar.getmembers() if entry.isfile()}


def content(out):
    files = blobs(out)
    index = json.loads(files["index.json"])
    get = lambda item: files["blobs/sha256/" + item["digest"].removeprefix("sha256:")]  # noqa: E731
    manifest = json.loads(get(index["manifests"][0]))
    return index, manifest, json.loads(get(manifest["config"])), [get(layer) for layer in manifest["layers"]]


def test_every_digest_and_size_is_right(built):
    out, identity = built
    index, manifest, config, layers = content(out)
    assert index["manifests"][0]["digest"] == identity
    for described, blob in zip(manifest["layers"], layers, strict=True):
        assert described["digest"] == "sha256:" + hashlib.sha256(blob).hexdigest()
        assert described["size"] == len(blob)
    import gzip

    unpacked = ["sha256:" + hashlib.sha256(gzip.decompress(layer)).hexdigest() for layer in layers]
    assert config["rootfs"]["diff_ids"] == unpacked
    beside = [(out.with_suffix(".layers") / name).read_bytes() for name in ("base.tar", "programs.tar")]
    assert ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in beside] == unpacked, "the Containerfile's content"


def test_the_same_gives_the_same(built):
    out, identity = built
    again, _, _ = image.build(out.parent, out.parent / "again.tar", "mineseal:1", "1", [PROGRAM], with_bill=False)
    assert again == identity
    assert (out.parent / "again.tar").read_bytes() == out.read_bytes()


def test_nobody_is_root_and_nothing_becomes_root(built):
    _, _, config, layers = content(built[0])
    assert config["config"]["User"] == f"{image.USER}:{image.USER}"
    security = pod(workloads(render())[0])["securityContext"]
    assert security["runAsUser"] == security["runAsGroup"] == image.USER
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            for entry in tar.getmembers():
                assert not entry.mode & 0o6000, f"{entry.name} is setuid"
                assert entry.mtime == 0 and entry.uname == ""
                assert not entry.name.endswith(("/sh", "/bash", "/apt", "/dpkg"))
                if entry.isfile():
                    assert not entry.mode & 0o022, f"{entry.name} can be written by others"


def test_the_program_runs_out_of_the_image(built, tmp_path):
    if shutil.which("chroot") is None or __import__("os").getuid() != 0:
        pytest.skip("only root can change into the image's root")
    _, _, _, layers = content(built[0])
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            tar.extractall(tmp_path, filter="tar")
    command = ["chroot", f"--userspec={image.USER}:{image.USER}", tmp_path, f"/usr/local/bin/{PROGRAM}", "version"]
    tmp_path.chmod(0o755)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(SystemExit, match="mineseal-counter"):
        image.build(tmp_path, tmp_path / "out.tar", "mineseal:1", "1", ["mineseal-counter"], with_bill=False)


def test_the_chart_starts_programs_that_are_in_the_image():
    started = {Path(pod(w)["containers"][0]["command"][0]).name for w in workloads(render("registration.configMap=mines"))}
    assert started == set(image.PROGRAMS)


def test_the_containerfile_has_the_same_settings(built):
    text = (ROOT / "scripts/k8s/Containerfile").read_text(encoding="utf-8")
    _, _, config, _ = content(built[0])
    assert f"USER {config['config']['User']}\n" in text
    assert f"WORKDIR {config['config']['WorkingDir']}\n" in text
    for variable in config["config"]["Env"]:
        assert variable in text
