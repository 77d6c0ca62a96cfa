"""A box: processes with their own process numbers, mounts, network and host name. Ending its first process ends all."""

import os
import signal
import subprocess
import time
from pathlib import Path

NAMESPACES = ["--pid", "--mount", "--net", "--uts"]
CGROUPS = Path("/sys/fs/cgroup")
# The first process: makes mounts that are private to the box, then lives until its standard input ends, which it does
# when the test goes in whatever way. Bash reaps what is left to it.
FIRST = r"""
set -eu
hostname "$NAME"
# Mounts go on into the pods, and nothing goes back to the machine.
mount --make-rshared /
mkdir -p "$STATE"/cgroups "$STATE"/log "$STATE"/kubelet /var/lib/kubelet
# A new /sys shows this network only, and hides the cgroups.
mount --rbind /sys/fs/cgroup "$STATE"/cgroups
mount -t sysfs sysfs /sys
mount --rbind "$STATE"/cgroups /sys/fs/cgroup
mount --bind "$STATE"/log /var/log
mount --bind "$STATE"/kubelet /var/lib/kubelet
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# Absent where the kernel has no br_netfilter; then a pod cannot reach itself through its own Service.
echo 1 2>/dev/null >/proc/sys/net/bridge/bridge-nf-call-iptables || true
echo ready
cat <&0 >/dev/null &
wait "$!"
"""


class Failed(Exception):
    """A command that ended with an error, with what it said."""


def wait_for(what, ready, seconds, pause=0.25, while_waiting=None):
    """Asks until `ready()` gives something true, and returns it."""
    ends = time.monotonic() + seconds
    while True:
        if found := ready():
            return found
        if time.monotonic() > ends:
            raise Failed(f"after {seconds} s still not: {what}")
        if while_waiting:
            while_waiting()
        time.sleep(pause)


class Box:
    """One box. `state` holds what its processes keep, `logs` what they say."""

    def __init__(self, name, state, logs, path):
        self.name, self.state, self.logs = name, state, logs
        self.environment = {"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(state), "LANG": "C.UTF-8"}
        self.processes = {}
        state.mkdir(parents=True)
        self.outer = subprocess.Popen(
            ["unshare", "--fork", "--kill-child", "--mount-proc", *NAMESPACES, "bash", "-c", FIRST],
            env={**self.environment, "NAME": name, "STATE": str(state)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(logs / f"{name}.log", "ab"), start_new_session=True)
        if self.outer.stdout.readline() != b"ready\n":
            raise Failed(f"box {name} did not start: {(logs / f'{name}.log').read_text()[-2000:]}")
        children = Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text().split()
        self.first = int(children[0])

    def enter(self, *command):
        return ["nsenter", f"--target={self.first}", *NAMESPACES, f"--wd={self.state}", "--", *map(str, command)]

    def run(self, *command, given=None, seconds=120, check=True, environment=None):
        """Runs a command in the box; what it wrote to standard output. A failure has all that it said."""
        try:
            done = subprocess.run(self.enter(*command), input=given, capture_output=True, text=True, check=False,
                                  timeout=seconds, env={**self.environment, **(environment or {})})
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{' '.join(map(str, command))[:300]}: no end within {seconds} s") from late
        if check and done.returncode:
            raise Failed(f"{' '.join(map(str, command))[:300]}: {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
        return done.stdout if check else done

    def start(self, name, *command, environment=None):
        """Starts what keeps running. Its input stays open as long as the test lives."""
        log = open(self.logs / f"{self.name}-{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            self.enter(*command), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            env={**self.environment, **(environment or {})})

    def ended(self):
        """Names of what should run and does not."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def kill(self):
        """Ends everything in it at once, as a power cut would."""
        try:
            os.kill(self.first, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.outer.wait()
        for process in self.processes.values():
            process.wait()


def controllers():
    """Folders of the cgroup controllers: one for each in version 1, one in all in version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in CGROUPS.iterdir() if (folder / "cgroup.procs").exists() and folder.name != "unified"]


def make_cgroup(name):
    for controller in controllers():
        if controller == CGROUPS:
            wanted = " ".join(f"+{each}" for each in ("cpu", "cpuset", "memory", "pids"))
            (controller / "cgroup.subtree_control").write_text(wanted)
        folder = controller / name
        folder.mkdir(exist_ok=True)
        if controller.name == "cpuset":
            # Version 1 lets nothing in before these are set.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((controller / file).read_text())


def remove_cgroup(name):
    # All: runc makes one beside those of version 1 as well.
    for controller in [CGROUPS, *(folder for folder in CGROUPS.iterdir() if folder.is_dir())]:
        for folder, _, _ in os.walk(controller / name, topdown=False):
            # The kernel needs a moment after the last process is gone.
            for _ in range(50):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.1)
