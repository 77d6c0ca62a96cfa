// 1x1 convolutions, alone and behind a depthwise one, on the tensor cores and without shared memory.
//
// A warp has 16 MT pixels and 32 NC outputs of them. Lane 4g + t holds 8 channels that lie side by side, 8t to 8t + 7 of
// a chunk of 32, of 2 MT pixels that lie side by side: one load of 16 bytes each. The tensor cores want other channels in
// each lane and other pixels in each row, but as long as the weights are packed in the same order, the sums are the
// same, and which pixel is which row is nobody's business. The weights' outputs are packed so that a lane ends up with 8
// outputs side by side: one store of 16 bytes. And because a lane has whole pixels, it can compute the depthwise
// convolution of its channels right where the 1x1 convolution wants them; what neighbours share it loads once.
//
// Where there are but 16 inputs, a chunk has 16 and a lane 4 of them (the kernels with an `h`).
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

template <int COUNT>
DEVICE void unpack_all(const unsigned (&pairs)[COUNT / 2], float (&numbers)[COUNT]) {
#pragma unroll
    for (int pair = 0; pair < COUNT / 2; ++pair) {
        const float2 both = unpack(pairs[pair]);
        numbers[2 * pair] = both.x;
        numbers[2 * pair + 1] = both.y;
    }
}

DEVICE void unpack8(const uint4& packed, float (&numbers)[8]) {
    const unsigned pairs[4] = {packed.x, packed.y, packed.z, packed.w};
    unpack_all<8>(pairs, numbers);
}

DEVICE uint4 pack8(const float (&numbers)[8]) {
    uint4 packed;
    packed.x = pack(numbers[0], numbers[1]);
    packed.y = pack(numbers[2], numbers[3]);
    packed.z = pack(numbers[4], numbers[5]);
    packed.w = pack(numbers[6], numbers[7]);
    return packed;
}

// The channels of a lane: 8 or 4, two in a word.
DEVICE void load_words(bool holds, const void* place, unsigned (&words)[4]) {
    const uint4 loaded = load_constant_if(holds, static_cast<const uint4*>(place));
    words[0] = loaded.x;
    words[1] = loaded.y;
    words[2] = loaded.z;
    words[3] = loaded.w;
}

DEVICE void load_words(bool holds, const void* place, unsigned (&words)[2]) {
    const uint2 loaded = load_constant_if(holds, static_cast<const uint2*>(place));
    words[0] = loaded.x;
    words[1] = loaded.y;
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

// The depthwise convolution with its SiLU for a lane's pixels, `CHANNELS` channels of each from `channel` on. STRIDE 0 takes
// the pixels as they come, one by one; otherwise they lie side by side in one row.
template <int STRIDE, int PIXELS, int CHANNELS>
DEVICE void depthwise(
    const PixelsParameters& p, const Pixel (&pixels)[PIXELS], int channel, unsigned (&results)[PIXELS][CHANNELS / 2]
) {
    const bool has_channel = channel < p.inputs;
    const float* taps = p.taps + channel / (4 * CHANNELS) * (9 * 4 * CHANNELS) + channel % (4 * CHANNELS);
    float sums[PIXELS][CHANNELS];
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int k = 0; k < CHANNELS; ++k) sums[i][k] = p.tap_bias[channel + k];
    }
#pragma unroll
    for (int down = 0; down < 3; ++down) {
        float weights[3][CHANNELS];
#pragma unroll
        for (int right = 0; right < 3; ++right) {
#pragma unroll
            for (int k = 0; k < CHANNELS; k += 4) {
                const float4 four = load_constant_floats(taps + (3 * down + right) * 4 * CHANNELS + k);
                weights[right][k] = four.x;
                weights[right][k + 1] = four.y;
                weights[right][k + 2] = four.z;
                weights[right][k + 3] = four.w;
            }
        }
        if (STRIDE == 0) {
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                const int row = pixels[i].row * p.stride + down - 1;
#pragma unroll
                for (int right = 0; right < 3; ++right) {
                    const int column = pixels[i].column * p.stride + right - 1;
                    const bool inside =
                        has_channel && row >= 0 && row < p.input_height && column >= 0 && column < p.input_width;
                    const long long number =
                        static_cast<long long>(pixels[i].picture * p.input_height + row) * p.input_width + column;
                    unsigned words[CHANNELS / 2];
                    load_words(inside, p.input + number * p.input_pitch + channel, words);
                    float numbers[CHANNELS];
                    unpack_all<CHANNELS>(words, numbers);
#pragma unroll
                    for (int k = 0; k < CHANNELS; ++k) sums[i][k] += numbers[k] * weights[right][k];
                }
            }
        } else {
            constexpr int SPAN = (PIXELS - 1) * STRIDE + 3;
            const int row = pixels[0].row * STRIDE + down - 1;
            const int first = pixels[0].column * STRIDE - 1;
            const bool has_row = has_channel && row >= 0 && row < p.input_height;
            const half_bits* place = p.input
                + (static_cast<long long>(pixels[0].picture * p.input_height + row) * p.input_width + first)
                    * p.input_pitch
                + channel;
#pragma unroll
            for (int step = 0; step < SPAN; ++step) {
                const bool inside = has_row && first + step >= 0 && first + step < p.input_width;
                unsigned words[CHANNELS / 2];
                load_words(inside, place + step * p.input_pitch, words);
                float numbers[CHANNELS];
                unpack_all<CHANNELS>(words, numbers);
#pragma unroll
                for (int i = 0; i < PIXELS; ++i) {
                    const int right = step - i * STRIDE;
                    if (right < 0 || right > 2) continue;
#pragma unroll
                    for (int k = 0; k < CHANNELS; ++k) sums[i][k] += numbers[k] * weights[right][k];
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < PIXELS; ++i) {
#pragma unroll
        for (int k = 0; k < CHANNELS; k += 2) results[i][k / 2] = pack(silu(sums[i][k]), silu(sums[i][k + 1]));
    }
}

// What stands before the 1x1 convolution.
constexpr int NOTHING = -1;

// BEFORE: NOTHING, or a depthwise convolution of this STRIDE (see there); MT: tiles of 16 pixels; NC: chunks of 32
// outputs; CHANNELS: inputs of a lane, 8 or 4.
template <int BEFORE, int MT, int NC, int CHANNELS>
DEVICE void convolve_pixels(const PixelsParameters& p) {
    constexpr int PIXELS = 2 * MT;
    constexpr int WORDS = CHANNELS / 2;
    constexpr int INPUTS = 4 * CHANNELS;
    const int lane = threadIdx.x % 32;
    const int g = lane / 4;
    const int t = lane % 4;
    const int first = (blockIdx.x * WARPS + threadIdx.x / 32) * (16 * MT);
    if (first >= p.pixels) return;
    const int first_chunk = blockIdx.y * NC;

    Pixel pixels[PIXELS];
    if (BEFORE > 0) {
        // Rows are whole runs of pixels: what exists is a whole run, and so is the last one, taken for what does not exist.
        const int begin = first + PIXELS * g;
        pixels[0] = pixel_at(begin < p.pixels ? begin : p.pixels - PIXELS, p.pixels, p.height, p.width);
        pixels[0].exists = begin < p.pixels;
#pragma unroll
        for (int i = 1; i < PIXELS; ++i) {
            pixels[i] = pixels[0];
            pixels[i].number += i;
            pixels[i].column += i;
        }
    } else {
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) pixels[i] = pixel_at(first + PIXELS * g + i, p.pixels, p.height, p.width);
    }

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

    const int chunks = (p.inputs + INPUTS - 1) / INPUTS;
    // Several steps of a small tile have their loads under way at once.
    [[maybe_unused]] constexpr int TOGETHER = BEFORE != NOTHING ? 1 : MT * NC == 1 ? 4 : MT * NC == 2 ? 2 : 1;
#pragma unroll TOGETHER
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const int channel = INPUTS * chunk + CHANNELS * t;
        unsigned a[PIXELS][WORDS];
        if (BEFORE == NOTHING) {
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                const half_bits* place = p.input + static_cast<size_t>(pixels[i].number) * p.input_pitch + channel;
                load_words(channel < p.inputs, place, a[i]);
            }
        } else {
            depthwise<BEFORE == NOTHING ? 0 : BEFORE, PIXELS, CHANNELS>(p, pixels, channel, a);
        }
#pragma unroll
        for (int c = 0; c < NC; ++c) {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const size_t place = ((static_cast<size_t>(first_chunk + c) * chunks + chunk) * 4 + j) * 32 + lane;
                unsigned b[WORDS];
                load_words(true, p.weight + place * CHANNELS, b);
#pragma unroll
                for (int tile = 0; tile < MT; ++tile) {
#pragma unroll
                    for (int step = 0; step < WORDS; step += 2) {
                        multiply_add(
                            sums[tile][4 * c + j], a[2 * tile][step], a[2 * tile + 1][step], a[2 * tile][step + 1],
                            a[2 * tile + 1][step + 1], b[step], b[step + 1]
                        );
                    }
                }
            }
        }
    }

#pragma unroll
    for (int c = 0; c < NC; ++c) {
        const int channel = CHUNK * (first_chunk + c) + 8 * t;
        if (channel >= p.outputs) continue;
        // What is added is asked for of all pixels at once.
        if (p.before != nullptr) {
            uint4 before[PIXELS];
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                const long long number = (pixels[i].picture * (p.height / 2) + pixels[i].row / 2) * (p.width / 2)
                    + pixels[i].column / 2;
                before[i] = load_if(pixels[i].exists, p.before + number * p.before_pitch + channel);
            }
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                float more[8];
                unpack8(before[i], more);
#pragma unroll
                for (int k = 0; k < 8; ++k) sums[i / 2][4 * c + k / 2][2 * (i % 2) + k % 2] += more[k];
            }
        }
        uint4 residual[PIXELS];
        if (p.residual != nullptr) {
#pragma unroll
            for (int i = 0; i < PIXELS; ++i) {
                // It may lie where the output goes: each lane reads its own before it writes it.
                const long long number = pixels[i].number;
                residual[i] = load_if(pixels[i].exists, p.residual + number * p.residual_pitch + channel);
            }
        }
        float bias[8];
#pragma unroll
        for (int k = 0; k < 8; k += 4) {
            const float4 four = load_constant_floats(p.bias + channel + k);
            bias[k] = four.x;
            bias[k + 1] = four.y;
            bias[k + 2] = four.z;
            bias[k + 3] = four.w;
        }
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            float numbers[8];
#pragma unroll
            for (int k = 0; k < 8; ++k) numbers[k] = sums[i / 2][4 * c + k / 2][2 * (i % 2) + k % 2] + bias[k];
            if (p.silu != 0) {
#pragma unroll
                for (int k = 0; k < 8; ++k) numbers[k] = silu(numbers[k]);
            }
            if (p.residual != nullptr) {
                float more[8];
                unpack8(residual[i], more);
#pragma unroll
                for (int k = 0; k < 8; ++k) numbers[k] += more[k];
            }
            const size_t place = static_cast<size_t>(pixels[i].number) * p.output_pitch + channel;
            if (pixels[i].exists) *reinterpret_cast<uint4*>(p.output + place) = pack8(numbers);
        }
    }
}

// Blocks of a multiprocessor: so many warps hide each other's waiting, as long as little has to leave the registers.
#define POINTWISE(name, MT, NC, CHANNELS) \
    KERNEL_MANY(THREADS, MT * CHANNELS == 16 ? 4 : 6) name(const PixelsParameters p) { convolve_pixels<NOTHING, MT, NC, CHANNELS>(p); }
#define SEPARABLE(name, STRIDE, MT, NC, CHANNELS) \
    KERNEL_MANY(THREADS, MT * NC >= 4 ? 3 : 4) name(const PixelsParameters p) { convolve_pixels<STRIDE, MT, NC, CHANNELS>(p); }

POINTWISE(pointwise_1_1, 1, 1, 8)
POINTWISE(pointwise_2_1, 2, 1, 8)
POINTWISE(pointwise_h_1_1, 1, 1, 4)
POINTWISE(pointwise_h_2_1, 2, 1, 4)
// Of rows whose length is no multiple of a lane's pixels.
SEPARABLE(separable_any_1, 0, 1, 1, 8)
SEPARABLE(separable_any_2, 0, 1, 2, 8)
SEPARABLE(separable_any_4, 0, 1, 4, 8)
SEPARABLE(separable_any_h, 0, 1, 1, 4)
// By their strides.
SEPARABLE(separable_s1_1_1, 1, 1, 1, 8)
SEPARABLE(separable_s1_1_2, 1, 1, 2, 8)
SEPARABLE(separable_s1_1_4, 1, 1, 4, 8)
SEPARABLE(separable_s1_2_1, 1, 2, 1, 8)
SEPARABLE(separable_s1_h_1_1, 1, 1, 1, 4)
SEPARABLE(separable_s1_h_2_1, 1, 2, 1, 4)
SEPARABLE(separable_s2_1_1, 2, 1, 1, 8)
SEPARABLE(separable_s2_1_2, 2, 1, 2, 8)
SEPARABLE(separable_s2_1_4, 2, 1, 4, 8)
SEPARABLE(separable_s2_h_1_1, 2, 1, 1, 4)
SEPARABLE(separable_s2_h_2_1, 2, 2, 1, 4)
