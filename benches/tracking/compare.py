"""Our tracker beside those of PyPI `trackers`, on given detections: accuracy (scored by py-motmetrics) and speed.

Called by run.sh, which says where everything is. Prints two Markdown tables.
"""

import argparse
import configparser
import csv
import json
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
if not hasattr(np, "asfarray"):
    np.asfarray = np.asarray  # py-motmetrics 1.4.0 beside numpy 2

import motmetrics  # noqa: E402
import supervision  # noqa: E402
from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker  # noqa: E402

# Sequence, detections, frames a second, and the published anchors: MOTA, IDF1, switches of SORT (abewley/sort with
# its defaults: max_age 1, min_hits 3, IoU 0.3) and of SORT with max_age 30, scored in the same way.
SEQUENCES = [
    ("mot15/TUD-Campus", "det.txt", 25, (62.67, 60.65, 6), (63.51, 71.73, 2)),
    ("mot17/MOT17-02", "det_frcnn.txt", None, (32.04, 36.44, 86), (32.15, 40.38, 60)),
    ("mot17/MOT17-05", "det_frcnn.txt", None, (45.12, 53.53, 52), (45.38, 56.28, 36)),
    ("mot17/MOT17-09", "det_frcnn.txt", None, (53.03, 50.07, 32), (53.58, 60.60, 16)),
]
PEERS = {"ByteTrack": ByteTrackTracker, "OC-SORT": OCSORTTracker, "SORT (trackers)": SORTTracker}


def rate_of(folder):
    """Frames a second by the sequence's own file."""
    info = configparser.ConfigParser()
    info.read(folder / "seqinfo.ini")
    return float(info["Sequence"]["frameRate"])


def boxes_of(rows):
    """Detections of one frame, from rows of frame, id, left, top, width, height, score."""
    if len(rows) == 0:
        return supervision.Detections.empty()
    corners = rows[:, 2:6].astype(np.float32)
    corners[:, 2:] += corners[:, :2]
    return supervision.Detections(
        xyxy=corners, confidence=rows[:, 6].astype(np.float32), class_id=np.zeros(len(rows), int)
    )


def by_frame(detections, last):
    """One array of rows for each frame from 1 to `last`."""
    return [detections[detections[:, 0] == frame] for frame in range(1, last + 1)]


def peer_rows(make, frames):
    """Result rows of a peer: frame, id, left, top, width, height."""
    tracker, rows = make(), []
    for number, detections in enumerate(frames, 1):
        result = tracker.update(boxes_of(detections))
        if result.tracker_id is None:
            continue
        for (left, top, right, bottom), track in zip(result.xyxy, result.tracker_id):
            if track >= 0:
                rows.append((number, track, left, top, right - left, bottom - top))
    return np.array(rows, dtype=float).reshape(-1, 6)


def scores_of(truth, rows, clean_up):
    """MOTA and IDF1 in percent, false positives, misses, switches, at an overlap of 0.5."""
    accumulator = motmetrics.MOTAccumulator()
    distractors = {2, 7, 8, 12}
    for frame in np.unique(np.concatenate([truth[:, 0], rows[:, 0]])):
        there, found = truth[truth[:, 0] == frame], rows[rows[:, 0] == frame]
        if clean_up:
            # MOTChallenge: what lies on a distractor is neither right nor wrong.
            distance = motmetrics.distances.iou_matrix(there[:, 2:6], found[:, 2:6], max_iou=0.5)
            pairs = motmetrics.lap.linear_sum_assignment(distance) if distance.size else ([], [])
            dropped = [
                column
                for row, column in zip(*pairs)
                if np.isfinite(distance[row, column]) and int(there[row, 7]) in distractors
            ]
            found = np.delete(found, dropped, axis=0)
            there = there[there[:, 6] >= 1]
        distance = motmetrics.distances.iou_matrix(there[:, 2:6], found[:, 2:6], max_iou=0.5)
        accumulator.update(there[:, 1].astype(int), found[:, 1].astype(int), distance, frameid=int(frame))
    names = ["mota", "idf1", "num_false_positives", "num_misses", "num_switches"]
    row = motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0]
    return (100 * row["mota"], 100 * row["idf1"], *(int(row[name]) for name in names[2:]))


def accuracy(data, command):
    """The table of accuracy."""
    print("| sequence | tracker | MOTA | IDF1 | FP | FN | IDSW |\n|---|---|---|---|---|---|---|")
    for name, file, rate, sort, sort_30 in SEQUENCES:
        folder = data / name
        truth = np.loadtxt(folder / "gt.txt", delimiter=",", ndmin=2)
        detections = np.loadtxt(folder / file, delimiter=",", ndmin=2)
        clean_up = name.startswith("mot17")
        frames = by_frame(detections, int(truth[:, 0].max()))
        rate = rate or rate_of(folder)
        arguments = [command, "track", str(folder / file), "--fps", str(rate)]
        ours = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
        ours = np.array([[float(field) for field in row[:6]] for row in csv.reader(ours.splitlines())])
        results = {"**mineseal**": ours}
        results |= {peer: peer_rows(make, frames) for peer, make in PEERS.items()}
        for tracker, rows in results.items():
            mota, idf1, false_positives, misses, switches = scores_of(truth, rows, clean_up)
            print(
                f"| {name} | {tracker} | {mota:.2f} | {idf1:.2f} | {false_positives} | {misses} | {switches} |"
            )
        for tracker, (mota, idf1, switches) in {"SORT, published": sort, "SORT, max_age 30": sort_30}.items():
            print(f"| {name} | {tracker} | {mota} | {idf1} | | | {switches} |")


def speed(workload, estimates):
    """The table of speed: the frames of `workload` on one thread."""
    detections = np.loadtxt(workload, delimiter=",", ndmin=2)
    last = int(detections[:, 0].max())
    frames = [boxes_of(rows) for rows in by_frame(detections, last)]
    best = float("inf")
    for _ in range(5):
        tracker, started = ByteTrackTracker(), time.perf_counter()
        for frame in frames:
            tracker.update(frame)
        best = min(best, time.perf_counter() - started)
    theirs = last / best
    print("\n| ten people, one thread | frames a second | times ByteTrack |\n|---|---|---|")
    print(f"| `trackers` ByteTrack (best of 5 runs, {last} frames) | {theirs:,.0f} | 1 |")
    for name in ["tracker", "tracker and counter"]:
        found = json.loads((estimates / name / "new/estimates.json").read_text())
        ours = last / (found["mean"]["point_estimate"] * 1e-9)
        print(f"| mineseal, {name} (criterion's mean) | {ours:,.0f} | {ours / theirs:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the MOTChallenge files")
    parser.add_argument("--mineseal", required=True, help="the operator's command")
    parser.add_argument("--workload", type=Path, required=True, help="frames of the bench")
    parser.add_argument("--estimates", type=Path, required=True, help="criterion's folder of the bench group")
    arguments = parser.parse_args()
    if arguments.data and arguments.data.is_dir():
        accuracy(arguments.data, arguments.mineseal)
    else:
        print("skipped: the table of accuracy needs ../shared/data/mot which is absent")
    speed(arguments.workload, arguments.estimates)


if __name__ == "__main__":
    main()
