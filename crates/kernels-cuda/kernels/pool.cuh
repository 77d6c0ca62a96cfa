// Maxima over windows of 5x5, stride 1; beyond the edge lies -infinity. A window of 9 is this twice, one of 13 thrice.
#pragma once

#include "device.cuh"
#include "parameters.hpp"

KERNEL(128) pool(const PoolParameters p) {
    const int groups = p.channels / 8;
    const int number = blockIdx.x * 128 + threadIdx.x;
    if (number >= p.pixels * groups) return;
    const Pixel pixel = pixel_at(number / groups, p.pixels, p.height, p.width);
    const int channel = number % groups * 8;
    const unsigned lowest = 0xfc00fc00u;
    unsigned best[4] = {lowest, lowest, lowest, lowest};
#pragma unroll
    for (int down = -2; down <= 2; ++down) {
#pragma unroll
        for (int right = -2; right <= 2; ++right) {
            const int row = pixel.row + down;
            const int column = pixel.column + right;
            if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
            const size_t place = (static_cast<size_t>(pixel.picture) * p.height + row) * p.width + column;
            const uint4 loaded = *reinterpret_cast<const uint4*>(p.input + place * p.input_pitch + channel);
            best[0] = larger(best[0], loaded.x);
            best[1] = larger(best[1], loaded.y);
            best[2] = larger(best[2], loaded.z);
            best[3] = larger(best[3], loaded.w);
        }
    }
    uint4 packed;
    packed.x = best[0];
    packed.y = best[1];
    packed.z = best[2];
    packed.w = best[3];
    *reinterpret_cast<uint4*>(p.output + static_cast<size_t>(pixel.number) * p.output_pitch + channel) = packed;
}
