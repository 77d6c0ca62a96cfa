// Focus and the first convolution, from bytes.
//
// Focus lays each square of four pixels on top of each other, and the convolution over 3x3 of those is one over 6x6
// pixels with a stride of 2: 108 products for each output, in the order row, column, colour. The 18 numbers of a row
// lie side by side in the picture, so that every pair that the tensor cores want is one word of shared memory.
#pragma once

#include "device.cuh"
#include "parameters.hpp"

constexpr int STEM_COLUMNS = 32;
constexpr int STEM_ROWS = 8;
constexpr int STEM_THREADS = 128;
constexpr int STEM_INPUT_ROWS = 2 * STEM_ROWS + 4;
// Words (pairs of numbers) of a row of pixels.
constexpr int STEM_WORDS = (2 * STEM_COLUMNS + 4) * 3 / 2;
constexpr int STEM_PAIRS = 54;
constexpr int STEM_STEPS = 7;

KERNEL(STEM_THREADS) stem(const StemParameters p) {
    BLOCK_SHARED unsigned tile[STEM_INPUT_ROWS * STEM_WORDS];
    const int first_column = blockIdx.x * STEM_COLUMNS;
    const int first_row = blockIdx.y * STEM_ROWS;
    const int picture = blockIdx.z;
    const int line = 3 * p.width;
    // The tile begins 6 bytes before the first output's own pixels, and whole words of memory 8 bytes before them: the upper
    // bytes of one word and the lower ones of the next are one word of the tile each. Lengths of lines are multiples of 4, so
    // that no word lies half in the picture.
    const int warp = threadIdx.x / 32;
    unsigned loaded[STEM_INPUT_ROWS / 4][2];
#pragma unroll
    for (int step = 0; step < STEM_INPUT_ROWS / 4; ++step) {
        const int row = 2 * first_row - 2 + warp + 4 * step;
        const bool has_row = row >= 0 && row < p.height;
        const uint8_t* place = p.input + (static_cast<long long>(picture) * p.height + row) * line;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int byte = 6 * first_column - 8 + 4 * static_cast<int>(threadIdx.x % 32 + 32 * half);
            const bool inside = has_row && byte >= 0 && byte < line;
            loaded[step][half] = load_constant_if(inside, reinterpret_cast<const unsigned*>(place + byte));
        }
    }
#pragma unroll
    for (int step = 0; step < STEM_INPUT_ROWS / 4; ++step) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int number = threadIdx.x % 32 + 32 * half;
            unsigned* row = tile + (warp + 4 * step) * STEM_WORDS;
            if (number >= 1 && 2 * number - 1 < STEM_WORDS) row[2 * number - 1] = lower_bytes(loaded[step][half]);
            if (2 * number < STEM_WORDS) row[2 * number] = upper_bytes(loaded[step][half]);
        }
    }
    wait_for_block();

    const int lane = threadIdx.x % 32;
    const int g = lane / 4;
    const int t = lane % 4;
    // Where the pairs lie that this lane gives to each step, from the first pixel of an output on.
    int places[STEM_STEPS][2];
#pragma unroll
    for (int step = 0; step < STEM_STEPS; ++step) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int pair = 8 * step + 4 * half + t;
            // The weights of what is too much are zero.
            places[step][half] = pair < STEM_PAIRS ? pair / 9 * STEM_WORDS + pair % 9 : 0;
        }
    }
    for (int group = 0; group < p.outputs / 16; ++group) {
        uint2 weights[STEM_STEPS][2];
#pragma unroll
        for (int step = 0; step < STEM_STEPS; ++step) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                weights[step][j] = p.weight[((group * STEM_STEPS + step) * 2 + j) * 32 + lane];
            }
        }
        const int channel = 16 * group + 4 * t;
        float bias[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) bias[k] = p.bias[channel + k];
        for (int square = threadIdx.x / 32; square < STEM_ROWS * STEM_COLUMNS / 16; square += STEM_THREADS / 32) {
            const int row = square / (STEM_COLUMNS / 16);
            const int column = square % (STEM_COLUMNS / 16) * 16;
            // Widths of the output are multiples of 16, heights of 8 at least.
            if (first_column + column >= p.width / 2) continue;
            const int upper = 2 * row * STEM_WORDS + 3 * (column + g);
            const int lower = upper + 3 * 8;
            float sums[2][4] = {{0.0f, 0.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f, 0.0f}};
#pragma unroll
            for (int step = 0; step < STEM_STEPS; ++step) {
                const unsigned a0 = tile[upper + places[step][0]];
                const unsigned a1 = tile[lower + places[step][0]];
                const unsigned a2 = tile[upper + places[step][1]];
                const unsigned a3 = tile[lower + places[step][1]];
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    multiply_add(sums[j], a0, a1, a2, a3, weights[step][j].x, weights[step][j].y);
                }
            }
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float numbers[4];
#pragma unroll
                for (int k = 0; k < 4; ++k) numbers[k] = silu(sums[k / 2][2 * half + k % 2] + bias[k]);
                const size_t number = (static_cast<size_t>(picture) * (p.height / 2) + first_row + row) * (p.width / 2)
                    + first_column + column + g + 8 * half;
                uint2 packed;
                packed.x = pack(numbers[0], numbers[1]);
                packed.y = pack(numbers[2], numbers[3]);
                *reinterpret_cast<uint2*>(p.output + number * p.output_pitch + channel) = packed;
            }
        }
    }
}
