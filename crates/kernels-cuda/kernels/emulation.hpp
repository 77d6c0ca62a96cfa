// The machine of `device.cuh` on the host: each thread of a block is a fiber, and a warp's fibers meet where the kernel
// uses the tensor cores or exchanges numbers. Slow, for tests alone.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

struct uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };

namespace emulation {

constexpr int LANES = 32;
constexpr size_t STACK = 64 * 1024;

struct Index { int x, y, z; };

// Fibers that wait for each other.
struct Meeting {
    int arrived = 0;
    unsigned round = 0;
};

struct Warp {
    Meeting meeting;
    unsigned left[LANES][4];
    unsigned right[LANES][2];
    float* sums[LANES];
    double given[LANES];
    double taken[LANES];
};

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    bool ended = false;
};

struct Machine {
    ucontext_t scheduler;
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    Meeting block;
    Index block_index;
    int current = 0;
    void (*kernel)(const void*) = nullptr;
    const void* parameters = nullptr;
    // Loads of 16 bytes that are not aligned.
    int faults = 0;
};

inline Machine& machine() {
    static thread_local Machine one;
    return one;
}

inline void suspend() {
    Machine& m = machine();
    swapcontext(&m.fibers[m.current].context, &m.scheduler);
}

template <typename Last>
void meet(Meeting& meeting, int members, Last last) {
    const unsigned round = meeting.round;
    if (++meeting.arrived == members) {
        last();
        meeting.arrived = 0;
        ++meeting.round;
    } else {
        while (meeting.round == round) suspend();
    }
}

inline Warp& warp() { return machine().warps[machine().current / LANES]; }
inline int lane() { return machine().current % LANES; }

inline float widen(uint16_t bits) {
    const unsigned sign = (bits & 0x8000u) << 16;
    const int exponent = bits >> 10 & 31;
    const unsigned fraction = bits & 1023;
    float value;
    if (exponent == 31) {
        const unsigned whole = sign | 0x7f800000u | fraction << 13;
        std::memcpy(&value, &whole, 4);
        return value;
    }
    value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                          : std::ldexp(static_cast<float>(fraction | 1024), exponent - 25);
    return sign ? -value : value;
}

// To the nearest, ties to even.
inline uint16_t narrow(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    const uint16_t sign = bits >> 16 & 0x8000;
    const float size = std::fabs(value);
    if (std::isnan(value)) return sign | 0x7e00;
    if (size == 0.0f) return sign;
    if (size >= 65520.0f) return sign | 0x7c00;
    int exponent;
    std::frexp(size, &exponent);
    const int step = exponent < -13 ? -24 : exponent - 11;
    const unsigned count = static_cast<unsigned>(std::nearbyint(std::ldexp(size, -step)));
    if (step == -24) return sign | static_cast<uint16_t>(count);
    const unsigned carried = count == 2048;
    return sign | static_cast<uint16_t>((exponent + 14 + carried) << 10 | (carried ? 0 : count & 1023));
}

inline void multiply_tiles(Warp& w) {
    float a[16][16], b[16][8];
    for (int l = 0; l < LANES; ++l) {
        const int g = l / 4, t = l % 4;
        for (int part = 0; part < 4; ++part) {
            for (int k = 0; k < 2; ++k) {
                a[g + part % 2 * 8][2 * t + k + part / 2 * 8] = widen(w.left[l][part] >> (16 * k));
                if (part < 2) b[2 * t + k + part * 8][g] = widen(w.right[l][part] >> (16 * k));
            }
        }
    }
    for (int l = 0; l < LANES; ++l) {
        for (int part = 0; part < 4; ++part) {
            const int row = l / 4 + part / 2 * 8, column = 2 * (l % 4) + part % 2;
            float sum = w.sums[l][part];
            for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
            w.sums[l][part] = sum;
        }
    }
}

inline void enter() {
    Machine& m = machine();
    m.kernel(m.parameters);
    m.fibers[m.current].ended = true;
    suspend();
}

inline void run(void (*kernel)(const void*), const void* parameters, const unsigned* grid, unsigned threads) {
    Machine& m = machine();
    m.kernel = kernel;
    m.parameters = parameters;
    m.fibers.resize(threads);
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                m.block_index = {static_cast<int>(x), static_cast<int>(y), static_cast<int>(z)};
                m.warps.assign(threads / LANES, Warp());
                m.block = Meeting();
                for (Fiber& fiber : m.fibers) {
                    if (!fiber.stack) fiber.stack.reset(new char[STACK]);
                    getcontext(&fiber.context);
                    fiber.context.uc_stack.ss_sp = fiber.stack.get();
                    fiber.context.uc_stack.ss_size = STACK;
                    fiber.context.uc_link = &m.scheduler;
                    fiber.ended = false;
                    makecontext(&fiber.context, enter, 0);
                }
                for (bool alive = true; alive;) {
                    alive = false;
                    for (unsigned number = 0; number < threads; ++number) {
                        if (m.fibers[number].ended) continue;
                        m.current = static_cast<int>(number);
                        swapcontext(&m.scheduler, &m.fibers[number].context);
                        alive |= !m.fibers[number].ended;
                    }
                }
            }
}

}  // namespace emulation

#define DEVICE inline
#define KERNEL(threads) static void
#define KERNEL_MANY(threads, blocks) static void
#define BLOCK_SHARED static thread_local
#define blockIdx (emulation::machine().block_index)
#define threadIdx (emulation::Index{emulation::machine().current, 0, 0})

DEVICE float2 unpack(unsigned pair) {
    float2 both;
    both.x = emulation::widen(static_cast<uint16_t>(pair));
    both.y = emulation::widen(static_cast<uint16_t>(pair >> 16));
    return both;
}

DEVICE unsigned pack(float first, float second) {
    return emulation::narrow(first) | static_cast<unsigned>(emulation::narrow(second)) << 16;
}

DEVICE unsigned larger(unsigned one, unsigned other) {
    const float2 a = unpack(one), b = unpack(other);
    return pack(std::fmax(a.x, b.x), std::fmax(a.y, b.y));
}

DEVICE float quick_exp(float x) { return std::exp(x); }

DEVICE float quick_divide(float x, float y) { return x / y; }

DEVICE uint4 load_constant(const void* place) {
    if (reinterpret_cast<uintptr_t>(place) % 16 != 0) ++emulation::machine().faults;
    uint4 loaded;
    std::memcpy(&loaded, place, sizeof loaded);
    return loaded;
}

DEVICE float4 load_constant_floats(const float* place) {
    if (reinterpret_cast<uintptr_t>(place) % 16 != 0) ++emulation::machine().faults;
    float4 loaded;
    std::memcpy(&loaded, place, sizeof loaded);
    return loaded;
}

template <typename Vector>
Vector load_vector_if(bool holds, const Vector* place) {
    Vector loaded;
    std::memset(&loaded, 0, sizeof loaded);
    if (!holds) return loaded;
    if (reinterpret_cast<uintptr_t>(place) % sizeof loaded != 0) ++emulation::machine().faults;
    std::memcpy(&loaded, place, sizeof loaded);
    return loaded;
}

DEVICE uint4 load_constant_if(bool holds, const uint4* place) { return load_vector_if(holds, place); }
DEVICE uint2 load_constant_if(bool holds, const uint2* place) { return load_vector_if(holds, place); }
DEVICE unsigned load_constant_if(bool holds, const unsigned* place) { return load_vector_if(holds, place); }

DEVICE uint4 load_if(bool holds, const void* place) { return load_vector_if(holds, static_cast<const uint4*>(place)); }

DEVICE unsigned lower_bytes(unsigned word) {
    return pack(static_cast<float>(word & 255), static_cast<float>(word >> 8 & 255));
}

DEVICE unsigned upper_bytes(unsigned word) { return lower_bytes(word >> 16); }

DEVICE void multiply_add(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
    emulation::Warp& warp = emulation::warp();
    const int lane = emulation::lane();
    const unsigned left[4] = {a0, a1, a2, a3};
    std::memcpy(warp.left[lane], left, sizeof left);
    warp.right[lane][0] = b0;
    warp.right[lane][1] = b1;
    warp.sums[lane] = c;
    emulation::meet(warp.meeting, emulation::LANES, [&] { emulation::multiply_tiles(warp); });
}

template <typename Number>
DEVICE Number exchange(Number value, int bits) {
    emulation::Warp& warp = emulation::warp();
    const int lane = emulation::lane();
    warp.given[lane] = value;
    emulation::meet(warp.meeting, emulation::LANES, [&] {
        for (int l = 0; l < emulation::LANES; ++l) warp.taken[l] = warp.given[l ^ bits];
    });
    return static_cast<Number>(warp.taken[lane]);
}

DEVICE bool any_lane(bool holds) {
    emulation::Warp& warp = emulation::warp();
    const int lane = emulation::lane();
    warp.given[lane] = holds;
    emulation::meet(warp.meeting, emulation::LANES, [&] {
        double any = 0;
        for (double one : warp.given) any = std::fmax(any, one);
        for (double& one : warp.taken) one = any;
    });
    return warp.taken[lane] != 0;
}

DEVICE void wait_for_block() {
    emulation::Machine& m = emulation::machine();
    emulation::meet(m.block, static_cast<int>(m.fibers.size()), [] {});
}

DEVICE int count_up(int* counter) { return (*counter)++; }
