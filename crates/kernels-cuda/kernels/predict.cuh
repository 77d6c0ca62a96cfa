// The last convolutions of the head, and what becomes a candidate.
#pragma once

#include "device.cuh"
#include "parameters.hpp"

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// 8 outputs of the pixels `pixels[0]` and `pixels[1]`; this lane gets 2t and 2t + 1 of each.
DEVICE void predictions(const PredictParameters& p, const Pixel (&pixels)[2], int lane, float (&sums)[4]) {
    const int t = lane % 4;
    sums[0] = sums[1] = sums[2] = sums[3] = 0.0f;
    const int chunks = (p.inputs + CHUNK - 1) / CHUNK;
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const int channel = CHUNK * chunk + 8 * t;
        uint4 a[2] = {nothing(), nothing()};
        if (channel < p.inputs) {
            a[0] = load_constant(p.input + static_cast<size_t>(pixels[0].number) * p.input_pitch + channel);
            a[1] = load_constant(p.input + static_cast<size_t>(pixels[1].number) * p.input_pitch + channel);
        }
        const uint4 b = load_constant(p.weight + chunk * 32 + lane);
        multiply_add(sums, a[0].x, a[1].x, a[0].y, a[1].y, b.x, b.y);
        multiply_add(sums, a[0].z, a[1].z, a[0].w, a[1].w, b.z, b.w);
    }
#pragma unroll
    for (int part = 0; part < 4; ++part) sums[part] += p.bias[2 * t + part % 2];
}

DEVICE size_t cell_of(const PredictParameters& p, const Pixel& pixel) {
    return static_cast<size_t>(pixel.picture) * p.cells + p.first_cell + pixel.row * p.width + pixel.column;
}

KERNEL(THREADS) predict_boxes(const PredictParameters p) {
    const int lane = threadIdx.x % 32;
    const int first = (blockIdx.x * WARPS + threadIdx.x / 32) * 16;
    if (first >= p.pixels) return;
    const Pixel pixels[2] = {
        pixel_at(first + lane / 4, p.pixels, p.height, p.width),
        pixel_at(first + lane / 4 + 8, p.pixels, p.height, p.width),
    };
    float sums[4];
    predictions(p, pixels, lane, sums);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        if (!pixels[i].exists) continue;
        float2 both;
        both.x = sums[2 * i];
        both.y = sums[2 * i + 1];
        *reinterpret_cast<float2*>(p.boxes + cell_of(p, pixels[i]) * 8 + 2 * (lane % 4)) = both;
    }
}

KERNEL(THREADS) predict_classes(const PredictParameters p) {
    const int lane = threadIdx.x % 32;
    const int t = lane % 4;
    const int first = (blockIdx.x * WARPS + threadIdx.x / 32) * 16;
    if (first >= p.pixels) return;
    const Pixel pixels[2] = {
        pixel_at(first + lane / 4, p.pixels, p.height, p.width),
        pixel_at(first + lane / 4 + 8, p.pixels, p.height, p.width),
    };
    bool wanted[2];
    float objectness[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        objectness[i] = p.boxes[cell_of(p, pixels[i]) * 8 + 4];
        wanted[i] = pixels[i].exists && pixels[i].picture < *p.pictures && !(objectness[i] < p.least);
    }
    if (!any_lane(wanted[0] || wanted[1])) return;
    float sums[4];
    predictions(p, pixels, lane, sums);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        if (p.classes != nullptr && pixels[i].exists) {
            float2 both;
            both.x = sums[2 * i];
            both.y = sums[2 * i + 1];
            *reinterpret_cast<float2*>(p.classes + cell_of(p, pixels[i]) * 8 + 2 * t) = both;
        }
        // The best of the 8, and of equal ones the first.
        int place = 2 * t;
        float best = place < p.class_count ? sums[2 * i] : -INFINITY;
        if (place + 1 < p.class_count && sums[2 * i + 1] > best) {
            best = sums[2 * i + 1];
            place += 1;
        }
#pragma unroll
        for (int bits = 1; bits < 4; bits *= 2) {
            const float other = exchange(best, bits);
            const int other_place = exchange(place, bits);
            if (other > best || (other == best && other_place < place)) {
                best = other;
                place = other_place;
            }
        }
        if (t != 0 || !wanted[i]) continue;
        const float score = sigmoid(objectness[i]) * sigmoid(best);
        // Written so that NaN is refused too.
        if (!(score >= p.threshold)) continue;
        const float* box = p.boxes + cell_of(p, pixels[i]) * 8;
        Candidate candidate;
        candidate.picture = pixels[i].picture;
        candidate.cell = p.first_cell + pixels[i].row * p.width + pixels[i].column;
        candidate.place_of_class = place;
        candidate.score = score;
        candidate.width = expf(box[2]) * p.stride;
        candidate.height = expf(box[3]) * p.stride;
        candidate.left = (box[0] + pixels[i].column) * p.stride - candidate.width / 2.0f;
        candidate.top = (box[1] + pixels[i].row) * p.stride - candidate.height / 2.0f;
        const int slot = count_up(p.count);
        if (slot < p.capacity) p.candidates[slot] = candidate;
    }
}
