// 1x1 convolutions, alone and behind a depthwise one, on the tensor cores and without shared memory.
//
// A warp has 16 pixels and 32 NC outputs of them. Lane 4g + t holds 8 channels that lie side by side, 8t to 8t + 7 of a
// chunk of 32, of the pixels g and g + 8: one load of 16 bytes each. The tensor cores want other channels in each lane,
// but as long as the weights are packed in the same order, the sum is the same. The weights' outputs are packed so that
// a lane ends up with 8 outputs side by side: one store of 16 bytes. And because a lane has whole pixels, it can
// compute the depthwise convolution of its 8 channels right where the 1x1 convolution wants them.
#pragma once

#include "device.cuh"
#include "parameters.hpp"

constexpr int WARPS = 4;
constexpr int THREADS = 32 * WARPS;
constexpr int CHUNK = 32;

DEVICE float silu(float x) { return quick_divide(x, 1.0f + quick_exp(-x)); }

DEVICE uint4 nothing() {
    uint4 zero;
    zero.x = zero.y = zero.z = zero.w = 0;
    return zero;
}

DEVICE void unpack8(const uint4& packed, float (&numbers)[8]) {
    const unsigned pairs[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
        const float2 both = unpack(pairs[pair]);
        numbers[2 * pair] = both.x;
        numbers[2 * pair + 1] = both.y;
    }
}

DEVICE uint4 pack8(const float (&numbers)[8]) {
    uint4 packed;
    packed.x = pack(numbers[0], numbers[1]);
    packed.y = pack(numbers[2], numbers[3]);
    packed.z = pack(numbers[4], numbers[5]);
    packed.w = pack(numbers[6], numbers[7]);
    return packed;
}

// Where a pixel of the output lies.
struct Pixel {
    bool exists;
    int number;
    int picture;
    int row;
    int column;
};

DEVICE Pixel pixel_at(int number, int pixels, int height, int width) {
    Pixel pixel;
    pixel.exists = number < pixels;
    pixel.number = pixel.exists ? number : pixels - 1;
    const unsigned line = static_cast<unsigned>(pixel.number) / static_cast<unsigned>(width);
    pixel.column = pixel.number - static_cast<int>(line) * width;
    pixel.picture = static_cast<int>(line / static_cast<unsigned>(height));
    pixel.row = static_cast<int>(line) - pixel.picture * height;
    return pixel;
}

// 8 channels from `channel` on of the depthwise convolution with its SiLU, for several pixels.
template <int PIXELS>
DEVICE void depthwise(const PixelsParameters& p, const Pixel (&pixels)[PIXELS], int channel, uint4 (&results)[PIXELS]) {
    float sums[PIXELS][8];
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int lane = 0; lane < 8; ++lane) sums[i][lane] = p.tap_bias[channel + lane];
    }
    const bool has_channel = channel < p.inputs;
    const half_bits* taps = p.taps + (channel / CHUNK) * 9 * CHUNK + channel % CHUNK;
#pragma unroll
    for (int tap = 0; tap < 9; ++tap) {
        float weights[8];
        unpack8(load_constant(taps + tap * CHUNK), weights);
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            const int row = pixels[i].row * p.stride + tap / 3 - 1;
            const int column = pixels[i].column * p.stride + tap % 3 - 1;
            const bool inside = has_channel && row >= 0 && row < p.input_height && column >= 0 && column < p.input_width;
            uint4 loaded = nothing();
            if (inside) {
                const int number = (pixels[i].picture * p.input_height + row) * p.input_width + column;
                loaded = load_constant(p.input + static_cast<size_t>(number) * p.input_pitch + channel);
            }
            float numbers[8];
            unpack8(loaded, numbers);
#pragma unroll
            for (int lane = 0; lane < 8; ++lane) sums[i][lane] += numbers[lane] * weights[lane];
        }
    }
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int lane = 0; lane < 8; ++lane) sums[i][lane] = silu(sums[i][lane]);
        results[i] = pack8(sums[i]);
    }
}

// MT: tiles of 16 pixels; NC: chunks of 32 outputs.
template <bool DEPTHWISE, int MT, int NC>
DEVICE void convolve_pixels(const PixelsParameters& p) {
    constexpr int PIXELS = 2 * MT;
    const int lane = threadIdx.x % 32;
    const int g = lane / 4;
    const int t = lane % 4;
    const int first = (blockIdx.x * WARPS + threadIdx.x / 32) * (16 * MT);
    if (first >= p.pixels) return;
    const int first_chunk = blockIdx.y * NC;

    Pixel pixels[PIXELS];
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) pixels[i] = pixel_at(first + 8 * i + g, p.pixels, p.height, p.width);

    if (p.boxes != nullptr) {
        bool wanted = false;
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            const int cell = pixels[i].picture * p.cells + p.first_cell + pixels[i].row * p.width + pixels[i].column;
            wanted |= pixels[i].exists && !(p.boxes[static_cast<size_t>(cell) * 8 + 4] < p.least);
        }
        if (!any_lane(wanted)) return;
    }

    float sums[MT][NC * 4][4];
#pragma unroll
    for (int tile = 0; tile < MT; ++tile) {
#pragma unroll
        for (int j = 0; j < NC * 4; ++j) {
#pragma unroll
            for (int part = 0; part < 4; ++part) sums[tile][j][part] = 0.0f;
        }
    }

    const int chunks = (p.inputs + CHUNK - 1) / CHUNK;
#pragma unroll 1
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const int channel = CHUNK * chunk + 8 * t;
        uint4 a[PIXELS];
        if (DEPTHWISE) {
            depthwise<PIXELS>(p, pixels, channel, a);
        } else {
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                a[i] = nothing();
                if (channel < p.inputs) {
                    a[i] = load_constant(p.input + static_cast<size_t>(pixels[i].number) * p.input_pitch + channel);
                }
            }
        }
#pragma unroll
        for (int c = 0; c < NC; ++c) {
            const uint4* weight = p.weight + (static_cast<size_t>(first_chunk + c) * chunks + chunk) * 128 + lane;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const uint4 b = load_constant(weight + j * 32);
#pragma unroll
                for (int tile = 0; tile < MT; ++tile) {
                    const uint4& upper = a[2 * tile];
                    const uint4& lower = a[2 * tile + 1];
                    multiply_add(sums[tile][4 * c + j], upper.x, lower.x, upper.y, lower.y, b.x, b.y);
                    multiply_add(sums[tile][4 * c + j], upper.z, lower.z, upper.w, lower.w, b.z, b.w);
                }
            }
        }
    }

#pragma unroll
    for (int c = 0; c < NC; ++c) {
        const int channel = CHUNK * (first_chunk + c) + 8 * t;
        if (channel >= p.outputs) continue;
        float bias[8];
#pragma unroll
        for (int k = 0; k < 8; ++k) bias[k] = p.bias[channel + k];
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            if (!pixels[i].exists) continue;
            float numbers[8];
#pragma unroll
            for (int k = 0; k < 8; ++k) numbers[k] = sums[i / 2][4 * c + k / 2][2 * (i % 2) + k % 2] + bias[k];
            if (p.before != nullptr) {
                const int number = (pixels[i].picture * (p.height / 2) + pixels[i].row / 2) * (p.width / 2)
                    + pixels[i].column / 2;
                float more[8];
                unpack8(load_constant(p.before + static_cast<size_t>(number) * p.before_pitch + channel), more);
#pragma unroll
                for (int k = 0; k < 8; ++k) numbers[k] += more[k];
            }
            if (p.silu != 0) {
#pragma unroll
                for (int k = 0; k < 8; ++k) numbers[k] = silu(numbers[k]);
            }
            if (p.residual != nullptr) {
                // It may lie where the output goes: each lane reads its own before it writes it.
                const size_t place = static_cast<size_t>(pixels[i].number) * p.residual_pitch + channel;
                float more[8];
                unpack8(*reinterpret_cast<const uint4*>(p.residual + place), more);
#pragma unroll
                for (int k = 0; k < 8; ++k) numbers[k] += more[k];
            }
            const size_t place = static_cast<size_t>(pixels[i].number) * p.output_pitch + channel;
            *reinterpret_cast<uint4*>(p.output + place) = pack8(numbers);
        }
    }
}

KERNEL(THREADS) pointwise_1_1(const PixelsParameters p) { convolve_pixels<false, 1, 1>(p); }
KERNEL(THREADS) pointwise_1_2(const PixelsParameters p) { convolve_pixels<false, 1, 2>(p); }
KERNEL(THREADS) pointwise_2_1(const PixelsParameters p) { convolve_pixels<false, 2, 1>(p); }
KERNEL(THREADS) pointwise_2_2(const PixelsParameters p) { convolve_pixels<false, 2, 2>(p); }
KERNEL(THREADS) pointwise_2_4(const PixelsParameters p) { convolve_pixels<false, 2, 4>(p); }
KERNEL(THREADS) separable_1_1(const PixelsParameters p) { convolve_pixels<true, 1, 1>(p); }
KERNEL(THREADS) separable_1_2(const PixelsParameters p) { convolve_pixels<true, 1, 2>(p); }
KERNEL(THREADS) separable_1_4(const PixelsParameters p) { convolve_pixels<true, 1, 4>(p); }
KERNEL(THREADS) separable_2_1(const PixelsParameters p) { convolve_pixels<true, 2, 1>(p); }
KERNEL(THREADS) separable_2_2(const PixelsParameters p) { convolve_pixels<true, 2, 2>(p); }
