"""The detector on a GPU beside PyTorch with the same net, in turns.

bench_gpu.py PROGRAM WEIGHTS JPEG...

PROGRAM is the example `device_rounds` of crates/detector. PyTorch runs the net in f16 and channels_last, as it stands
(eager), as a CUDA graph of that, and compiled; ONNX Runtime with CUDA where it is installed with a model beside the
weights (WEIGHTS with the ending .onnx). Every figure is the median of several rounds; rounds of all programs stand
between each other. The last line is one JSON object.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

WIDTH, HEIGHT = 640, 384
BATCHES = [1, 8, 32, 64]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
# Seconds of a round, about.
LENGTH = float(os.environ.get("BENCH_LENGTH", "0.15"))
# Seconds that compiling may take in all; what is not compiled by then is not measured.
COMPILE = float(os.environ.get("BENCH_COMPILE", "150"))
FRAMES_PER_SECOND = 5


def say(*words):
    print(*words, flush=True)


# YOLOX (Ge and others, arXiv 2107.08430) with depthwise convolutions; batch normalisation is folded into the weights.


class Conv(nn.Module):
    def __init__(self, inputs, outputs, window=1, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, window, stride, (window - 1) // 2, groups=groups)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x):
        return self.act(self.conv(x))


class Separable(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.dconv = Conv(inputs, inputs, 3, stride, inputs)
        self.pconv = Conv(inputs, outputs)

    def forward(self, x):
        return self.pconv(self.dconv(x))


class Bottleneck(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.conv1 = Conv(channels, channels)
        self.conv2 = Separable(channels, channels)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class CrossStage(nn.Module):
    def __init__(self, inputs, outputs, count, shortcut=True):
        super().__init__()
        hidden = outputs // 2
        self.conv1 = Conv(inputs, hidden)
        self.conv2 = Conv(inputs, hidden)
        self.conv3 = Conv(2 * hidden, outputs)
        self.m = nn.Sequential(*[Bottleneck(hidden, shortcut) for _ in range(count)])

    def forward(self, x):
        return self.conv3(torch.cat((self.m(self.conv1(x)), self.conv2(x)), 1))


class Pyramid(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = Conv(inputs, inputs // 2)
        self.conv2 = Conv(2 * inputs, outputs)
        self.m = nn.ModuleList([nn.MaxPool2d(k, 1, k // 2) for k in (5, 9, 13)])

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(torch.cat([x] + [pool(x) for pool in self.m], 1))


class Focus(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.conv = Conv(12, outputs, 3)

    def forward(self, x):
        parts = (x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2])
        return self.conv(torch.cat(parts, 1))


class Darknet(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.stem = Focus(base)
        self.dark2 = nn.Sequential(Separable(base, 2 * base, 2), CrossStage(2 * base, 2 * base, 1))
        self.dark3 = nn.Sequential(Separable(2 * base, 4 * base, 2), CrossStage(4 * base, 4 * base, 3))
        self.dark4 = nn.Sequential(Separable(4 * base, 8 * base, 2), CrossStage(8 * base, 8 * base, 3))
        self.dark5 = nn.Sequential(
            Separable(8 * base, 16 * base, 2),
            Pyramid(16 * base, 16 * base),
            CrossStage(16 * base, 16 * base, 1, False),
        )

    def forward(self, x):
        dark3 = self.dark3(self.dark2(self.stem(x)))
        dark4 = self.dark4(dark3)
        return dark3, dark4, self.dark5(dark4)


class Backbone(nn.Module):
    def __init__(self, base):
        super().__init__()
        fine, middle, coarse = 4 * base, 8 * base, 16 * base
        self.backbone = Darknet(base)
        self.lateral_conv0 = Conv(coarse, middle)
        self.C3_p4 = CrossStage(2 * middle, middle, 1, False)
        self.reduce_conv1 = Conv(middle, fine)
        self.C3_p3 = CrossStage(2 * fine, fine, 1, False)
        self.bu_conv2 = Separable(fine, fine, 2)
        self.C3_n3 = CrossStage(2 * fine, middle, 1, False)
        self.bu_conv1 = Separable(middle, middle, 2)
        self.C3_n4 = CrossStage(2 * middle, coarse, 1, False)
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, x):
        dark3, dark4, dark5 = self.backbone(x)
        lateral = self.lateral_conv0(dark5)
        p4 = self.C3_p4(torch.cat((self.up(lateral), dark4), 1))
        reduced = self.reduce_conv1(p4)
        p3 = self.C3_p3(torch.cat((self.up(reduced), dark3), 1))
        n3 = self.C3_n3(torch.cat((self.bu_conv2(p3), reduced), 1))
        return p3, n3, self.C3_n4(torch.cat((self.bu_conv1(n3), lateral), 1))


class Head(nn.Module):
    def __init__(self, base, classes):
        super().__init__()
        hidden = 4 * base
        each = range(3)

        def ways():
            return nn.ModuleList(
                [nn.Sequential(Separable(hidden, hidden), Separable(hidden, hidden)) for _ in each]
            )

        self.stems = nn.ModuleList([Conv(inputs, hidden) for inputs in (4 * base, 8 * base, 16 * base)])
        self.cls_convs, self.reg_convs = ways(), ways()
        self.cls_preds = nn.ModuleList([nn.Conv2d(hidden, classes, 1) for _ in each])
        self.reg_preds = nn.ModuleList([nn.Conv2d(hidden, 4, 1) for _ in each])
        self.obj_preds = nn.ModuleList([nn.Conv2d(hidden, 1, 1) for _ in each])

    def forward(self, features):
        outputs = []
        for level, x in enumerate(features):
            x = self.stems[level](x)
            classes = self.cls_preds[level](self.cls_convs[level](x))
            boxes = self.reg_convs[level](x)
            outputs.append(
                torch.cat((self.reg_preds[level](boxes), self.obj_preds[level](boxes), classes), 1).flatten(2)
            )
        return torch.cat(outputs, 2)


class Yolox(nn.Module):
    def __init__(self, base, classes):
        super().__init__()
        self.backbone = Backbone(base)
        self.head = Head(base, classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def load(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        base = int(file.metadata()["base_channels"])
        classes = int(file.metadata()["num_classes"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    net = Yolox(base, classes)
    net.load_state_dict(tensors)
    return net.eval()


def per_batch(run, length=LENGTH):
    """Seconds for a batch, by events around as many as fill a round."""
    run()
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    times = max(3, min(2000, int(length / max(1e-6, time.perf_counter() - started))))
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(times):
        run()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / 1000 / times


class Ours:
    def __init__(self, program, weights, jpegs):
        command = [program, "cuda:0", weights, str(WIDTH), str(HEIGHT), *jpegs]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = json.loads(self.process.stdout.readline())
        self.times = {}

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def net(self, batch):
        if batch not in self.times:
            self.ask("net", batch, 20)
            self.times[batch] = max(3, min(5000, int(LENGTH * 20 / self.ask("net", batch, 20)["seconds"])))
        return self.ask("net", batch, self.times[batch])["seconds"] / self.times[batch]


def captured(net, example):
    """The net as one CUDA graph: what eager PyTorch could do without its launches."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            net(example)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        net(example)
    return graph.replay


def onnx_session(path):
    """None where ONNX Runtime has no CUDA or no model."""
    try:
        import onnxruntime
    except ImportError:
        return None
    if not os.path.exists(path) or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return None
    return onnxruntime.InferenceSession(path, providers=["CUDAExecutionProvider"])


def spread(rates):
    return round((max(rates) - min(rates)) / statistics.median(rates), 3)


@torch.inference_mode()
def main():
    program, weights, *jpegs = sys.argv[1:]
    torch.backends.cudnn.benchmark = True
    net = load(weights).cuda().half().to(memory_format=torch.channels_last)
    ours = Ours(program, weights, jpegs)
    say(f"device {torch.cuda.get_device_name(0)}, torch {torch.__version__}, loaded in {ours.facts['load_seconds']} s")
    example = {
        batch: (torch.rand(batch, 3, HEIGHT, WIDTH, device="cuda") * 255)
        .half()
        .to(memory_format=torch.channels_last)
        for batch in BATCHES
    }
    runners = {"mineseal": {batch: (lambda batch=batch: ours.net(batch)) for batch in BATCHES}}
    runners["torch_eager"] = {
        batch: (lambda batch=batch: per_batch(lambda: net(example[batch]))) for batch in BATCHES
    }
    runners["torch_graph"] = {}
    for batch in BATCHES:
        replay = captured(net, example[batch])
        runners["torch_graph"][batch] = lambda replay=replay: per_batch(replay)
    if COMPILE > 0:
        runners["torch_compile"] = {}
        begun = time.perf_counter()
        for batch in [32, 1, 8, 64]:
            if time.perf_counter() - begun > COMPILE:
                say(f"torch.compile: no time left for batch {batch}")
                continue
            torch._dynamo.reset()
            try:
                # A compiled net for each size, inside a CUDA graph like the others.
                compiled = torch.compile(net, dynamic=False)
                for _ in range(2):
                    compiled(example[batch])
                replay = captured(compiled, example[batch])
            except Exception as error:  # noqa: BLE001
                say(f"torch.compile at batch {batch}: {type(error).__name__}: {str(error)[:200]}")
                continue
            runners["torch_compile"][batch] = lambda replay=replay: per_batch(replay)
        say(f"compiling took {time.perf_counter() - begun:.0f} s")
    session = onnx_session(os.path.splitext(weights)[0] + ".onnx")
    say("ONNX Runtime with CUDA:", "there" if session else "not there")

    rates = {name: {batch: [] for batch in by_batch} for name, by_batch in runners.items()}
    for _ in range(ROUNDS):
        for batch in BATCHES:
            for name, by_batch in runners.items():
                if batch in by_batch:
                    rates[name][batch].append(batch / by_batch[batch]())
    result = {"device": torch.cuda.get_device_name(0), "torch": torch.__version__, "input": f"{WIDTH}x{HEIGHT}"}
    say(f"{'net alone, images/s':24}" + "".join(f"{batch:>18}" for batch in BATCHES))
    for name, by_batch in rates.items():
        medians = {batch: statistics.median(rates_) for batch, rates_ in by_batch.items()}
        cells = [
            f"{medians[batch]:>10.0f} ±{100 * spread(by_batch[batch]) / 2:4.1f} %" if batch in medians else f"{'-':>18}"
            for batch in BATCHES
        ]
        say(f"{name:24}" + "".join(cells))
        result[f"{name}_images_per_second"] = {str(batch): round(rate) for batch, rate in sorted(medians.items())}
    others = [by[32] for name, by in rates.items() if name != "mineseal" and 32 in by]
    better = max(statistics.median(one) for one in others)
    result["ratio_to_better_batch32"] = round(better / statistics.median(rates["mineseal"][32]), 3)

    whole = {}
    for batch in BATCHES:
        parts = ours.ask("whole", batch, 30)
        whole[str(batch)] = {key: round(1000 * value / 30, 3) for key, value in parts.items()}
        rate = 30 * batch / parts["upload_net_download"]
        whole[str(batch)]["images_per_second_upload_net_download"] = round(rate)
        say(f"batch {batch}: ms {whole[str(batch)]}")
    result["whole_batch_milliseconds"] = whole
    best = 0
    result["decoded_images_per_second"] = {}
    for batch, threads in [(1, 1), (32, 1), (32, 4), (32, os.cpu_count())]:
        rate = ours.ask("decoded", batch, threads, 2)["pictures_per_second"]
        say(f"JPEG to boxes, batch {batch}, {threads} threads: {rate:.0f} images/s")
        result["decoded_images_per_second"][f"{batch}x{threads}"] = round(rate)
        best = max(best, rate)
    result["host_cores"] = os.cpu_count()
    result["gate_cameras_at_5_fps"] = int(best / FRAMES_PER_SECOND)
    result["gate_cameras_at_5_fps_without_decoding"] = int(
        max(one["images_per_second_upload_net_download"] for one in whole.values()) / FRAMES_PER_SECOND
    )
    say(json.dumps(result))


if __name__ == "__main__":
    main()
