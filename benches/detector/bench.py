"""The detector beside ONNX Runtime and OpenVINO: one thread each, the same net, the same frames, taken in turns.

    scripts/bench-detector.sh            (or: make bench-detector)

Other jobs on the machine disturb the clock. Each run is therefore measured twice, by the clock and by the processor
time of its process; the ratios that are quoted are those of the medians of processor time, and those of the clock
stand beside them. The last line is one JSON object.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy
import onnx
import onnxruntime
import openvino
from PIL import Image

HEIGHT, WIDTH = 384, 640
GREY = 114
CLASSES = [0, 1, 2, 3, 5, 6, 7]  # of COCO's 80, those that the detector computes


def letterbox(path):
    picture = Image.open(path).convert("RGB")
    ratio = min(HEIGHT / picture.height, WIDTH / picture.width)
    small = picture.resize((int(picture.width * ratio), int(picture.height * ratio)), Image.Resampling.BILINEAR)
    padded = Image.new("RGB", (WIDTH, HEIGHT), (GREY, GREY, GREY))
    padded.paste(small, (0, 0))
    return numpy.asarray(padded)


def with_free_sizes(path):
    """The net was exported for one size and one picture; it is fully convolutional."""
    model = onnx.load(path)
    for value in list(model.graph.input) + list(model.graph.output):
        for number, axis in enumerate(value.type.tensor_type.shape.dim):
            axis.ClearField("dim_value")
            axis.dim_param = f"{value.name}_{number}"
    del model.graph.value_info[:]
    return model.SerializeToString()


class Measured:
    """Milliseconds for a picture."""

    def __init__(self):
        self.clock, self.processor = [], []

    def line(self):
        def of(numbers):
            ordered = sorted(numbers)
            quarter = lambda share: ordered[min(int(share * len(ordered)), len(ordered) - 1)]
            return {"median": round(statistics.median(ordered), 3), "quartiles": [round(quarter(0.25), 3), round(quarter(0.75), 3)],
                    "least": round(ordered[0], 3), "runs": len(ordered)}

        return {"processor_ms": of(self.processor), "clock_ms": of(self.clock)}


class Here:
    """A net of another program in this process."""

    def __init__(self, run, tensors):
        self.run, self.tensors, self.turn = run, tensors, 0
        run(tensors[0])

    def measure(self, count, batch, into):
        for _ in range(count):
            tensor = self.tensors[self.turn % len(self.tensors)]
            self.turn += 1
            processor, clock = time.process_time(), time.perf_counter()
            self.run(tensor)
            into.clock.append((time.perf_counter() - clock) * 1e3 / batch)
            into.processor.append((time.process_time() - processor) * 1e3 / batch)


class Ours:
    """The detector in a process of its own (crates/detector/examples/detector_rounds.rs)."""

    def __init__(self, program, precision, weights, frames, jpegs):
        command = [program, precision, weights, frames, str(WIDTH), str(HEIGHT), *jpegs]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.faults = []
        self.ask("net 1 4")
        self.ask("net 8 2")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the detector ended; its message stands above")
        return json.loads(line)

    def measure(self, count, batch, into):
        answer = self.ask(f"net {batch} {count}")
        into.clock += answer["clock_ms"]
        into.processor += answer["processor_ms"]
        self.faults += answer["faults"]


def onnx_runtime(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda tensor: session.run(None, {"images": tensor})[0]


def open_vino(model, batch, precision):
    core = openvino.Core()
    net = core.read_model(model)
    net.reshape([batch, 3, HEIGHT, WIDTH])
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(net, "CPU", settings).create_infer_request()
    return lambda tensor: request.infer({0: tensor}, share_inputs=True, share_outputs=True)[0]


def difference(ours, run, frames, tensors):
    """Largest difference from ONNX Runtime over all outputs of a few frames: numbers of the box as they are,
    objectness and classes after the sigmoid."""
    largest = 0.0
    for number in range(min(3, len(frames))):
        found = numpy.array(ours.ask(f"outputs {number}"), numpy.float64).reshape(-1, 5 + len(CLASSES))
        found[:, 4:] = 1 / (1 + numpy.exp(-found[:, 4:]))
        expected = run(tensors[number])[0]
        expected = expected[:, [0, 1, 2, 3, 4] + [5 + place for place in CLASSES]]
        largest = max(largest, float(numpy.abs(found - expected).max()))
    return largest


def overlap(a, b):
    width, height = (min(a[side + 2], b[side + 2]) - max(a[side], b[side]) for side in (1, 2))
    common = max(width, 0) * max(height, 0)
    area = lambda box: (box[3] - box[1]) * (box[4] - box[2])
    return common / (area(a) + area(b) - common)


def changes(exact, rounded, frames, least=0.3):
    """What the rounding changes in the boxes of at least this score: how many there are, how many have no partner of
    their class (overlap 0.5) in the other list whatever its score, and how much score and overlap of partners differ."""
    counts = {"boxes": 0, "lost": 0, "new": 0}
    scores, overlaps = [], []
    for number in range(frames):
        lists = [detector.ask(f"boxes {number}") for detector in (exact, rounded)]
        for mine, others, missing in ((lists[0], lists[1], "lost"), (lists[1], lists[0], "new")):
            for one in (one for one in mine if one["numbers"][0] >= least):
                near = [(overlap(one["numbers"], other["numbers"]), other["numbers"][0]) for other in others
                        if other["class"] == one["class"]]
                common, score = max(near, default=(0.0, 0.0))
                counts["boxes"] += missing == "lost"
                if common < 0.5:
                    counts[missing] += 1
                elif missing == "lost":
                    scores.append(abs(score - one["numbers"][0]))
                    overlaps.append(common)
    return {**counts, "score_difference_median": round(statistics.median(scores), 4),
            "score_difference_largest": round(max(scores), 4), "overlap_median": round(statistics.median(overlaps), 4),
            "overlap_least": round(min(overlaps), 4)}


def average_precision(evaluate, weights, cache, precision):
    """AP50 of each class on the held-out rendered scenes, by the product's own weights
    (crates/training/examples/evaluate.rs; the scenes are rendered into the cache once)."""
    command = [evaluate, weights, cache, "9000000", "40", "5", precision]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.findall(r'class: "(\w+)".*?average_precision: ([0-9.e-]+)', text)
    if not found:
        raise SystemExit(f"no figures in {text!r}")
    return {name: round(float(number), 4) for name, number in found}


def images_per_second(detectors, seconds):
    """Of detectors that run at the same time, and their processor time for a picture."""
    done, processor = [0] * len(detectors), [[] for _ in detectors]
    end = time.perf_counter() + seconds

    def go(number):
        while time.perf_counter() < end:
            answer = detectors[number].ask("net 1 4")
            done[number] += 4
            processor[number] += answer["processor_ms"]

    started = time.perf_counter()
    threads = [threading.Thread(target=go, args=[number]) for number in range(len(detectors))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sum(done) / (time.perf_counter() - started), statistics.median(sum(processor, []))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--shared", type=Path, required=True)
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--evaluate", required=True)
    arguments.add_argument("--own-weights", required=True)
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--rounds", type=int, default=25)
    arguments = arguments.parse_args()
    shared = arguments.shared
    paths = [str(path) for path in sorted(shared.glob("data/mot/mot17/*/img1/*.jpg"))]
    frames = [letterbox(path) for path in paths]
    tensors = [numpy.ascontiguousarray(f[:, :, ::-1].transpose(2, 0, 1)[None].astype(numpy.float32)) for f in frames]
    eights = [numpy.concatenate([tensors[(8 * turn + n) % len(tensors)] for n in range(8)]) for turn in range(2)]
    model = with_free_sizes(shared / "models/yolox_nano.onnx")
    weights = str(shared / "models/yolox_nano.safetensors")

    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        # As the frame extractor sends them.
        small = []
        for number, frame in enumerate(frames):
            small.append(str(Path(folder) / f"{number}.jpg"))
            Image.fromarray(frame[:360]).save(small[-1], quality=75)
        file.write(b"".join(frame.tobytes() for frame in frames))
        file.flush()
        ours, second = (Ours(arguments.program, "single", weights, file.name, paths) for _ in range(2))
        bytes_ = Ours(arguments.program, "bytes", weights, file.name, small)
        run = onnx_runtime(model)
        contestants = {
            ("detector f32", 1): ours,
            ("detector bytes", 1): bytes_,
            ("onnxruntime f32", 1): Here(run, tensors),
            ("openvino f32", 1): Here(open_vino(model, 1, "f32"), tensors),
            ("openvino bf16", 1): Here(open_vino(model, 1, "bf16"), tensors),
            ("detector f32", 8): ours,
            ("detector bytes", 8): bytes_,
            ("onnxruntime f32", 8): Here(run, eights),
            ("openvino f32", 8): Here(open_vino(model, 8, "f32"), eights),
        }
        measured = {key: Measured() for key in contestants}
        jpeg, small_jpeg, alone, both = [], [], [], []
        for turn in range(arguments.rounds):
            # A different one begins each time, so that none always follows the same.
            order = list(contestants)
            order = order[turn % len(order):] + order[: turn % len(order)]
            for key in order:
                contestants[key].measure(4 if key[1] == 1 else 1, key[1], measured[key])
            jpeg += ours.ask("jpeg 4")["clock_ms"]
            small_jpeg += bytes_.ask("jpeg 8")["clock_ms"]
            alone.append(images_per_second([ours], 0.5))
            both.append(images_per_second([ours, second], 0.5))
        largest = difference(ours, run, frames, tensors)
        largest_bytes = difference(bytes_, run, frames, tensors)
        change = changes(ours, bytes_, len(frames))
    precisions = {kind: average_precision(arguments.evaluate, arguments.own_weights, arguments.cache, kind)
                  for kind in ("single", "bytes")}

    print(f"YOLOX-Nano, {HEIGHT}x{WIDTH}, one thread, {len(frames)} frames; onnxruntime {onnxruntime.__version__}, "
          f"openvino {openvino.__version__.split('-')[0]}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'':18} {'batch':>5} | processor ms: {'median':>7} {'quartiles':>15} {'least':>7} | clock ms: {'median':>7} {'quartiles':>15} {'least':>7}")
    lines = {}
    for (name, batch), one in measured.items():
        line = one.line()
        lines[f"{name.replace(' ', '_')}_batch{batch}"] = line
        p, c = line["processor_ms"], line["clock_ms"]
        print(f"{name:18} {batch:5} |               {p['median']:7.2f} {p['quartiles'][0]:7.2f}-{p['quartiles'][1]:<7.2f} {p['least']:7.2f}"
              f" |           {c['median']:7.2f} {c['quartiles'][0]:7.2f}-{c['quartiles'][1]:<7.2f} {c['least']:7.2f}")

    def ratio(other, batch, kind="processor_ms", mine="detector_f32"):
        ours, theirs = lines[f"{mine}_batch{batch}"], lines[f"{other}_batch{batch}"]
        return round(ours[kind]["median"] / theirs[kind]["median"], 3)

    middle = lambda numbers: statistics.median(numbers)
    result = {
        "ratio_to_onnxruntime_f32_batch1": ratio("onnxruntime_f32", 1),
        "ratio_to_onnxruntime_f32_batch8": ratio("onnxruntime_f32", 8),
        "ratio_to_openvino_f32_batch1": ratio("openvino_f32", 1),
        "ratio_to_openvino_f32_batch8": ratio("openvino_f32", 8),
        "ratio_to_onnxruntime_f32_batch1_clock": ratio("onnxruntime_f32", 1, "clock_ms"),
        "ratio_to_onnxruntime_f32_batch8_clock": ratio("onnxruntime_f32", 8, "clock_ms"),
        "ratio_to_openvino_f32_batch1_clock": ratio("openvino_f32", 1, "clock_ms"),
        "ratio_to_openvino_f32_batch8_clock": ratio("openvino_f32", 8, "clock_ms"),
        # The best of the reduced precisions, which is bytes: on processors without AMX `vdpbf16ps` is slower than f32, so
        # that bf16 is not built.
        "ratio_bf16_to_onnxruntime_f32": ratio("onnxruntime_f32", 1, mine="detector_bytes"),
        "reduced_precision": "bytes: weights and inputs of the wide 1x1 convolutions in 8 bits (AVX-512 VNNI), sums in 32; not bf16",
        "reduced_precision_to_own_f32": ratio("detector_f32", 1, mine="detector_bytes"),
        "ap50_rendered_f32": precisions["single"],
        "ap50_rendered_bytes": precisions["bytes"],
        "ratio_bytes_to_onnxruntime_f32_batch1": ratio("onnxruntime_f32", 1, mine="detector_bytes"),
        "ratio_bytes_to_onnxruntime_f32_batch8": ratio("onnxruntime_f32", 8, mine="detector_bytes"),
        "two_detectors_speedup": round(middle([two[0] / one[0] for one, two in zip(alone, both)]), 3),
        "two_detectors_speedup_processor": round(middle([2 * one[1] / two[1] for one, two in zip(alone, both)]), 3),
        "one_detector_images_per_s": round(middle([one[0] for one in alone]), 2),
        "two_detectors_images_per_s": round(middle([two[0] for two in both]), 2),
        "page_faults_per_image": round(statistics.mean(ours.faults), 4),
        "jpeg_1080p_to_tensor_ms": {"median": round(middle(jpeg), 3), "least": round(min(jpeg), 3)},
        "jpeg_360p_to_tensor_ms": {"median": round(middle(small_jpeg), 3), "least": round(min(small_jpeg), 3)},
        "largest_output_difference": round(largest, 6),
        "largest_output_difference_bytes": round(largest_bytes, 4),
        "boxes_changed_by_bytes": change,
        "measured": lines,
    }
    print(f"two detectors: {result['two_detectors_images_per_s']} images/s against {result['one_detector_images_per_s']} of one; "
          f"{result['page_faults_per_image']} page faults an image; JPEG to the net's input (clock; median, least): "
          f"640x360 {middle(small_jpeg):.2f}, {min(small_jpeg):.2f} ms, 1920x1080 {middle(jpeg):.2f}, {min(jpeg):.2f} ms; "
          f"outputs differ from onnxruntime by up to {largest:.6f}")
    print(f"bytes: outputs differ by up to {largest_bytes:.3f}; of {change['boxes']} boxes of score 0.3 and more {change['lost']} are "
          f"lost and {change['new']} new; scores of the others differ by {change['score_difference_median']} (median) and "
          f"{change['score_difference_largest']} (most), boxes overlap by {change['overlap_median']} (median) and {change['overlap_least']} (least)")
    print("AP50 on 200 held-out rendered pictures, the product's weights: "
          + ", ".join(f"{name} {precisions['single'][name]:.3f} in f32, {precisions['bytes'][name]:.3f} in bytes"
                      for name in precisions["single"]))
    print(json.dumps(result))


main()
