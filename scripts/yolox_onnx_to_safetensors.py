#!/usr/bin/env python3
"""Converts a YOLOX export in ONNX (batch norm folded, depthwise or not) to safetensors with YOLOX's module names.

    python3 scripts/yolox_onnx_to_safetensors.py yolox_nano.onnx yolox_nano.safetensors

Needs onnx, numpy and safetensors. The export keeps names only for convolutions without batch norm; the others are
taken in the order of the graph, and each is checked: output and input channels, kernel, stride and groups.
"""

import hashlib
import json
import sys

import numpy
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file


class Convolutions:
    """The graph's convolutions in their order."""

    def __init__(self, graph):
        values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.nodes = [node for node in graph.node if node.op_type == "Conv"]
        self.values = values
        self.next = 0
        self.tensors = {}

    def attributes(self, node):
        found = {entry.name: entry for entry in node.attribute}
        groups = found["group"].i if "group" in found else 1
        return found["strides"].ints[0], groups

    def take(self, name, outputs, inputs, kernel, stride=1, groups=1):
        if self.next >= len(self.nodes):
            sys.exit(f"{name}: the file has only {len(self.nodes)} convolutions")
        node = self.nodes[self.next]
        self.next += 1
        weight, bias = self.values[node.input[1]], self.values[node.input[2]]
        found_stride, found_groups = self.attributes(node)
        expected = (outputs, inputs // groups, kernel, stride, groups)
        found = (weight.shape[0], weight.shape[1], weight.shape[2], found_stride, found_groups)
        for what, want, got in zip(("outputs", "inputs", "kernel", "stride", "groups"), expected, found):
            if want is not None and want != got:
                sys.exit(f"{name}: {what} should be {want} and is {got}; is this a YOLOX export?")
        self.tensors[f"{name}.weight"] = numpy.ascontiguousarray(weight.astype(numpy.float32))
        self.tensors[f"{name}.bias"] = numpy.ascontiguousarray(bias.astype(numpy.float32))
        return weight.shape[0]


def convert(graph, depthwise, base):
    """Walks the net of the YOLOX paper: backbone, feature pyramid, head."""
    source = Convolutions(graph)

    def conv(path, inputs, outputs, kernel, stride=1, groups=1):
        source.take(f"{path}.conv", outputs, inputs, kernel, stride, groups)

    def block(path, inputs, outputs, stride=1):
        if depthwise:
            conv(f"{path}.dconv", inputs, inputs, 3, stride, inputs)
            conv(f"{path}.pconv", inputs, outputs, 1)
        else:
            conv(path, inputs, outputs, 3, stride)

    def csp(path, inputs, outputs, depth):
        half = outputs // 2
        conv(f"{path}.conv1", inputs, half, 1)
        conv(f"{path}.conv2", inputs, half, 1)
        for index in range(depth):
            conv(f"{path}.m.{index}.conv1", half, half, 1)
            block(f"{path}.m.{index}.conv2", half, half)
        conv(f"{path}.conv3", 2 * half, outputs, 1)

    c, depth = base, 1
    dark = "backbone.backbone"
    conv(f"{dark}.stem.conv", 12, c, 3)
    block(f"{dark}.dark2.0", c, 2 * c, 2)
    csp(f"{dark}.dark2.1", 2 * c, 2 * c, depth)
    block(f"{dark}.dark3.0", 2 * c, 4 * c, 2)
    csp(f"{dark}.dark3.1", 4 * c, 4 * c, 3 * depth)
    block(f"{dark}.dark4.0", 4 * c, 8 * c, 2)
    csp(f"{dark}.dark4.1", 8 * c, 8 * c, 3 * depth)
    block(f"{dark}.dark5.0", 8 * c, 16 * c, 2)
    conv(f"{dark}.dark5.1.conv1", 16 * c, 8 * c, 1)
    conv(f"{dark}.dark5.1.conv2", 32 * c, 16 * c, 1)
    csp(f"{dark}.dark5.2", 16 * c, 16 * c, depth)

    conv("backbone.lateral_conv0", 16 * c, 8 * c, 1)
    csp("backbone.C3_p4", 16 * c, 8 * c, depth)
    conv("backbone.reduce_conv1", 8 * c, 4 * c, 1)
    csp("backbone.C3_p3", 8 * c, 4 * c, depth)
    block("backbone.bu_conv2", 4 * c, 4 * c, 2)
    csp("backbone.C3_n3", 8 * c, 8 * c, depth)
    block("backbone.bu_conv1", 8 * c, 8 * c, 2)
    csp("backbone.C3_n4", 16 * c, 16 * c, depth)

    classes = None
    hidden = 4 * c
    for level, inputs in enumerate((4 * c, 8 * c, 16 * c)):
        conv(f"head.stems.{level}", inputs, hidden, 1)
        for branch in range(2):
            block(f"head.cls_convs.{level}.{branch}", hidden, hidden)
        classes = source.take(f"head.cls_preds.{level}", classes, hidden, 1)
        for branch in range(2):
            block(f"head.reg_convs.{level}.{branch}", hidden, hidden)
        source.take(f"head.reg_preds.{level}", 4, hidden, 1)
        source.take(f"head.obj_preds.{level}", 1, hidden, 1)
    if source.next != len(source.nodes):
        sys.exit(f"{len(source.nodes) - source.next} convolutions are left over; only depth 0.33 (Nano, Tiny, S) is known")
    return source.tensors, classes


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, output = sys.argv[1:]
    graph = onnx.load(path).graph
    first = Convolutions(graph)
    base = first.values[first.nodes[0].input[1]].shape[0]
    depthwise = first.attributes(first.nodes[1])[1] > 1
    tensors, classes = convert(graph, depthwise, base)
    with open(path, "rb") as source:
        digest = hashlib.sha256(source.read()).hexdigest()
    metadata = {
        "arch": "yolox",
        "base_channels": str(base),
        "bn": "folded",
        "depthwise": str(depthwise).lower(),
        "num_classes": str(classes),
        "source_sha256": digest,
    }
    save_file(tensors, output, metadata=metadata)
    print(json.dumps({"tensors": len(tensors), "parameters": int(sum(t.size for t in tensors.values())), **metadata}))


if __name__ == "__main__":
    main()
