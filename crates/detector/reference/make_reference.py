"""Writes what ONNX Runtime finds in real pictures, for tests/reference.rs to compare with.

    python3 -m venv VENV && VENV/bin/pip install numpy onnx onnxruntime pillow
    VENV/bin/python crates/detector/reference/make_reference.py ../shared crates/detector/reference/yolox_nano.json

Beside the boxes it writes what the net says of some cells, before any threshold, to `yolox_nano_cells.json`.

Run from the root of the workspace. Needs the ffmpeg command for frames of video. With the word `time` in place of the
output file it measures milliseconds for one picture on one thread instead.

The net was exported for 416x416; it is fully convolutional, so only the sizes written into the graph have to go.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

HEIGHT, WIDTH = 384, 640
SCORE, IOU = 0.1, 0.45
CLASSES = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 6: "train", 7: "truck"}
VEHICLES = {"car", "bus", "truck"}
PICTURES = [
    "data/mot/mot17/MOT17-02/img1/000001.jpg",
    "data/mot/mot17/MOT17-05/img1/000001.jpg",
    "data/mot/mot17/MOT17-09/img1/000001.jpg",
    "data/video/vtest_480x360.mp4#200",
    "data/video/vtest_480x360.mp4#500",
    "data/video/bgslib_video03.avi#300",
]


def read(shared, name):
    """Red, green, blue; `file#n` is frame n of a video, counted from 0."""
    if "#" not in name:
        return np.asarray(Image.open(shared / name).convert("RGB"))
    file, frame = name.split("#")
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height",
             "-of", "csv=p=0", str(shared / file)]
    width, height = map(int, subprocess.check_output(probe, text=True).strip().split(","))
    command = ["ffmpeg", "-v", "error", "-i", str(shared / file), "-vf", f"select=eq(n\\,{frame})", "-vsync", "0",
               "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return np.frombuffer(subprocess.check_output(command), np.uint8).reshape(height, width, 3)


def taps(source, target):
    """Neighbours and 11-bit weights along one axis, as in OpenCV's INTER_LINEAR for bytes."""
    position = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    first = np.floor(position).astype(np.int64)
    share = (position - first).astype(np.float32)
    share[first < 0] = 0
    share[first >= source - 1] = 0
    first = first.clip(0, source - 1)
    second = np.minimum(first + 1, source - 1)
    weight = lambda s: np.rint(s * np.float32(2048)).astype(np.int64)
    return first, second, weight(np.float32(1) - share), weight(share)


def resize(picture, width, height):
    if picture.shape[:2] == (height, width):
        return picture
    first, second, a, b = taps(picture.shape[1], width)
    wide = picture.astype(np.int64)
    rows = wide[:, first] * a[None, :, None] + wide[:, second] * b[None, :, None]
    first, second, a, b = taps(picture.shape[0], height)
    both = rows[first] * a[:, None, None] + rows[second] * b[:, None, None]
    return ((both + (1 << 21)) >> 22).astype(np.uint8)


def letterbox(picture):
    ratio = min(HEIGHT / picture.shape[0], WIDTH / picture.shape[1])
    small = resize(picture, int(picture.shape[1] * ratio), int(picture.shape[0] * ratio))
    padded = np.full((HEIGHT, WIDTH, 3), 114, np.uint8)
    padded[: small.shape[0], : small.shape[1]] = small
    blue_first = padded[:, :, ::-1].astype(np.float32)
    return np.ascontiguousarray(blue_first.transpose(2, 0, 1)[None]), ratio


def session(path):
    model = onnx.load(path)
    for value in list(model.graph.input) + list(model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            axis.ClearField("dim_value")
            axis.dim_param = f"{value.name}_{len(value.name)}_{id(axis)}"
    del model.graph.value_info[:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def decode(raw, ratio):
    cells, strides = [], []
    for stride in (8, 16, 32):
        rows, columns = HEIGHT // stride, WIDTH // stride
        y, x = np.mgrid[:rows, :columns]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full(rows * columns, stride))
    cells, strides = np.concatenate(cells), np.concatenate(strides)[:, None]
    centre = (raw[:, :2] + cells) * strides / ratio
    size = np.exp(raw[:, 2:4]) * strides / ratio
    scores = raw[:, 4:5] * raw[:, [5 + number for number in CLASSES]]
    best = scores.argmax(1)
    score = scores[np.arange(len(best)), best]
    names = list(CLASSES.values())
    found = [
        {"class": names[best[i]], "score": float(score[i]), "left": float(centre[i, 0] - size[i, 0] / 2),
         "top": float(centre[i, 1] - size[i, 1] / 2), "width": float(size[i, 0]), "height": float(size[i, 1])}
        for i in np.flatnonzero(score >= SCORE)
    ]
    return sorted(found, key=lambda one: -one["score"])


def overlap(a, b):
    width = min(a["left"] + a["width"], b["left"] + b["width"]) - max(a["left"], b["left"])
    height = min(a["top"] + a["height"], b["top"] + b["height"]) - max(a["top"], b["top"])
    common = max(width, 0) * max(height, 0)
    return common / (a["width"] * a["height"] + b["width"] * b["height"] - common)


def suppress(found):
    kept = []
    for one in found:
        kind = lambda other: VEHICLES if other["class"] in VEHICLES else other["class"]
        if all(kind(one) != kind(better) or overlap(one, better) <= IOU for better in kept):
            kept.append(one)
    return kept


def measure(net, rounds=60):
    for height, width in ((384, 640), (416, 416), (192, 320)):
        for batch in (1, 4):
            picture = np.random.default_rng(1).integers(0, 256, (batch, 3, height, width)).astype(np.float32)
            try:
                net.run(None, {"images": picture})
            except Exception as error:  # the graph holds a batch of one
                print(f"{height}x{width} batch {batch}: {str(error)[:80]}")
                continue
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                net.run(None, {"images": picture})
                times.append((time.perf_counter() - start) * 1e3 / batch)
            times.sort()
            print(f"{height}x{width} batch {batch}: least {times[0]:.2f} ms, median {times[rounds // 2]:.2f} ms")


def cells_of(raw):
    """The cells with the most objectness and some from everywhere: number, and what the net says of the classes in
    use (the box as it is, objectness and classes after the sigmoid)."""
    strongest = np.argsort(-raw[:, 4], kind="stable")[:40]
    chosen = sorted({*strongest.tolist(), *range(7, len(raw), len(raw) // 40)})
    columns = [0, 1, 2, 3, 4] + [5 + number for number in CLASSES]
    return [[number] + [round(float(value), 5) for value in raw[number, columns]] for number in chosen]


def main():
    shared, target = Path(sys.argv[1]), sys.argv[2]
    net = session(shared / "models/yolox_nano.onnx")
    if target == "time":
        measure(net)
        return
    pictures, cells = [], []
    for name in PICTURES:
        tensor, ratio = letterbox(read(shared, name))
        raw = net.run(None, {"images": tensor})[0][0]
        boxes = [{k: v if k == "class" else round(v, 4) for k, v in one.items()} for one in suppress(decode(raw, ratio))]
        pictures.append({"picture": name, "boxes": boxes})
        cells.append({"picture": name, "cells": cells_of(raw)})
        print(name, len(boxes))
    reference = {"model": "yolox_nano", "input_width": WIDTH, "input_height": HEIGHT, "score_threshold": SCORE,
                 "nms_iou": IOU, "onnxruntime": onnxruntime.__version__, "pictures": pictures}
    Path(target).write_text(json.dumps(reference, indent=1) + "\n")
    lines = ",\n".join(json.dumps(one) for one in cells)
    Path(target).with_stem(Path(target).stem + "_cells").write_text(f"[\n{lines}\n]\n")


main()
