"""mineseal in the test cluster: its chart, its pods, and rounds of rendered mines whose true counts are known."""

import json
import shutil
import time
from pathlib import Path

from box import Failed, wait_for

ROOT = Path(__file__).parents[3]
SPACE = RELEASE = "mineseal"
SERVICES = ["frame-extractor", "inference", "counter", "clickhouse-sink", "platform-forwarder", "console"]
# A round's mines; their clips are rendered. The first two mouths have 16 and 30 crossings.
CLIPS = ["01", "02", "02"]


class Clip:
    """A rendered clip of a shaft mouth with its truth."""

    def __init__(self, path):
        self.path = path
        header, *frames = [json.loads(line) for line in path.with_name(f"{path.stem}.truth.jsonl").read_text().splitlines()]
        self.line, self.frames = header["lines"][0]["line"], len(frames)
        self.seconds = header["script"]["seconds"]
        directions = [crossing["direction"] for frame in frames for crossing in frame["crossings"]]
        self.entered, self.left = directions.count("in"), directions.count("out")


class Product:
    def __init__(self, cluster, clips):
        self.cluster, self.control, self.engines, self.clips = cluster, cluster.control, cluster.engines, clips
        # Copies: the checkout may change while a long test runs.
        self.chart, self.values = cluster.state / "chart", cluster.state / "values.yaml"
        shutil.copytree(ROOT / "helm/mineseal", self.chart)
        shutil.copy(Path(__file__).parent / "values.yaml", self.values)
        self.mines = {}

    # -- the cluster's commands

    def kubectl(self, *arguments, **options):
        return self.control.box.run("kubectl", "--namespace", SPACE, *arguments, **options)

    def apply(self, *documents):
        everything = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        return self.kubectl("apply", "--server-side", "--filename=-", given=json.dumps(everything))

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def helm(self, *arguments, seconds=900, **options):
        return self.control.box.run("helm", "--namespace", SPACE, *arguments, seconds=seconds, **options)

    def install(self, verb, *settings, minutes=10, check=True, values=()):
        """`values` are files over those that every test has."""
        return self.helm(verb, RELEASE, self.chart, "--values", self.values, *(f"--values={file}" for file in values),
                         "--wait", f"--timeout={minutes}m", *(f"--set={setting}" for setting in settings),
                         seconds=60 * minutes + 60, check=check)

    def pods(self, service=None):
        """Pods of the services that are not on their way out, by name."""
        which = f",app.kubernetes.io/component={service}" if service else ",app.kubernetes.io/component notin (prepare,registration)"
        found = self.get("pods", f"--selector=app.kubernetes.io/instance={RELEASE}{which}")["items"]
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def all_ready(self):
        """Whether each service has all the pods that it should, ready, of its newest form."""
        for document in self.get("deployments,statefulsets", f"--selector=app.kubernetes.io/instance={RELEASE}")["items"]:
            status, wanted = document["status"], document["spec"]["replicas"]
            if (status.get("readyReplicas", 0), status.get("updatedReplicas", 0), status.get("replicas", 0)) != (wanted,) * 3:
                return False
            if status.get("observedGeneration") != document["metadata"]["generation"]:
                return False
        return True

    def wait_until_ready(self, seconds=300):
        wait_for("all pods are ready", self.all_ready, seconds, pause=1)

    def node_of(self, pod):
        return next(node for node in self.cluster.nodes if node.name == pod["spec"]["nodeName"])

    def shown(self):
        """What the console tells about mines."""
        path = f"/api/v1/namespaces/{SPACE}/services/{RELEASE}-console:http/proxy/api/mines"
        return json.loads(self.control.box.run("kubectl", "get", "--raw", path))["mines"]

    # -- rounds

    def register(self):
        """Three new mines with a camera each; the file is played at its own pace. Returns their codes."""
        text, codes = "", []
        for clip in CLIPS:
            number = len(self.mines) + 1
            mine, camera = f"150602999{number:03}", f"15060200419996999{number:03}4201"
            playing = self.clips[clip]
            begin, end = playing.line["from"], playing.line["to"]
            text += (f'[[mine]]\ncode = "{mine}"\nname = "试验{number}号煤矿"\nheadcount_limit = 50\n'
                     f'[[mine.camera]]\ncode = "{camera}"\nname = "主井口"\nplace = 42\nsource = "/clips/{playing.path.name}"\n'
                     f'frames_per_second = 5\nanalyses = ["person_crossing"]\n'
                     f'[[mine.camera.line]]\nname = "mouth"\nfrom = [{begin["x"]}, {begin["y"]}]\nto = [{end["x"]}, {end["y"]}]\n')
            self.mines[mine] = playing
            codes.append(mine)
        self.kubectl("exec", "--stdin", f"deploy/{RELEASE}-frame-extractor", "--",
                     "mineseal", "--config", "/config/mineseal.toml", "mines", "apply", "/dev/stdin", given=text)
        return codes

    def rows(self, table, columns):
        found = self.engines.query(f"SELECT mine, {columns} FROM mineseal.{table} GROUP BY mine")
        return {mine: tuple(map(int, numbers)) for mine, *numbers in found}

    def crossings(self):
        """By mine: rows in, rows out, different identities."""
        return self.rows("crossings", "countIf(direction = 'in'), countIf(direction = 'out'), uniqExact(id)")

    def frames(self):
        """By mine: different frames that went through everything."""
        return self.rows("frame_latencies", "uniqExact(session, sequence)")

    def wait_until_running(self, codes, frames=30, seconds=300):
        """Until so many frames of each of these mines went through the whole pipeline."""
        wait_for(f"frames of {', '.join(codes)} in ClickHouse",
                 lambda: (found := self.frames()) and all(found.get(code, (0,))[0] >= frames for code in codes), seconds, pause=1)

    def in_mid_run(self, codes):
        """That the mines still played: otherwise what was done to the pods was done to idle ones."""
        found = self.frames()
        assert any(found[code][0] < self.mines[code].frames for code in codes), f"the clips had ended: {found}"

    def truth(self):
        return {mine: (clip.entered, clip.left, clip.entered + clip.left) for mine, clip in self.mines.items()}

    def wait_until_counted(self, seconds=600):
        """Until every mine of all rounds is counted as it was, and nothing more comes; what was compared, in words."""
        truth, frames = self.truth(), {mine: (clip.frames,) for mine, clip in self.mines.items()}
        try:
            wait_for("all is counted", lambda: self.crossings() == truth and self.frames() == frames, seconds, pause=2)
        except Failed as late:
            raise Failed(f"{late}: true {truth}, counted {self.crossings()}, frames {self.frames()} of {frames}") from late
        # Doubled ones would come after: for as long as a group takes to notice a lost member and begin anew.
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            assert self.crossings() == truth, f"true {truth}, counted in the end {self.crossings()}"
            time.sleep(3)
        shown = {mine: state for mine, state in wait_for("the console answers", self.try_shown, 60).items() if mine in self.mines}
        told = {mine: (state["people"], state["entered"]) for mine, state in shown.items()}
        wanted = {mine: (clip.entered - clip.left, clip.entered) for mine, clip in self.mines.items()}
        assert told == wanted, f"the console shows {told}, true is {wanted}"
        return f"{sum(whole for _, _, whole in truth.values())} crossings of {len(truth)} mines, each once"

    def try_shown(self):
        try:
            return self.shown()
        except (Failed, ValueError):
            return None
