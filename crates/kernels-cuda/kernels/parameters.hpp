// What each kernel is told; `src/operation.rs` has the same structures. Maps are f16, pixel by pixel (NHWC); a pixel's
// channels lie side by side and the next pixel `pitch` numbers on, so that a map may be a part of the channels of a
// wider one.
#pragma once

#include <cstdint>

typedef uint16_t half_bits;

// 1x1 convolution; with a 3x3 depthwise convolution and SiLU before it where the kernel is `separable`.
struct PixelsParameters {
    const half_bits* input;
    // Packed: `src/packing.rs`.
    const half_bits* weight;
    const float* bias;
    // Depthwise, of each chunk's channels: 9 taps; biases.
    const float* taps;
    const float* tap_bias;
    // Added before SiLU: a map of half the height and width, each pixel four times. Null for none.
    const half_bits* before;
    // Added at the very end. Null for none.
    const half_bits* residual;
    half_bits* output;
    // Cells whose objectness is below `least` need no output; null where all do. `boxes` as in PredictParameters.
    const float* boxes;
    int pixels;
    int height;
    int width;
    int input_height;
    int input_width;
    int stride;
    int inputs;
    int outputs;
    int input_pitch;
    int output_pitch;
    int before_pitch;
    int residual_pitch;
    int silu;
    int cells;
    int first_cell;
    float least;
};

// Focus and the first convolution, of bytes: a convolution of 6x6 pixels with a stride of 2.
struct StemParameters {
    // Pictures, rows, columns, 3 colours.
    const uint8_t* input;
    const uint2* weight;
    const float* bias;
    half_bits* output;
    // Of the input.
    int height;
    int width;
    int outputs;
    int output_pitch;
};

// Maxima over windows of 5x5 pixels.
struct PoolParameters {
    const half_bits* input;
    half_bits* output;
    int pixels;
    int height;
    int width;
    int channels;
    int input_pitch;
    int output_pitch;
};

struct Candidate {
    int picture;
    // From the finest level on, row by row.
    int cell;
    int place_of_class;
    float score;
    // In pixels of the input.
    float left;
    float top;
    float width;
    float height;
};

// The last 1x1 convolutions of the head, of one level.
struct PredictParameters {
    const half_bits* input;
    const uint4* weight;
    const float* bias;
    // For each cell of each picture: centre, size, objectness before the sigmoid; then 3 numbers that mean nothing.
    float* boxes;
    // For each cell of each picture 8 classes before the sigmoid. Null where nobody asks.
    float* classes;
    int* count;
    Candidate* candidates;
    // How many pictures there are; the others of the batch are left over from an earlier one.
    const int* pictures;
    int capacity;
    int pixels;
    int height;
    int width;
    int inputs;
    int input_pitch;
    // Of a picture, all levels together, and those of the levels before this one.
    int cells;
    int first_cell;
    int class_count;
    // Pixels of the input for one cell.
    float stride;
    // Objectness before the sigmoid, and score: cells below are no candidates.
    float least;
    float threshold;
};
