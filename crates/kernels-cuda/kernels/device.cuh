// What the kernels need of the machine. `emulation.hpp` has the same for the host, so that the kernels' arithmetic of
// places and their use of the tensor cores are tested where there is no device.
#pragma once

#ifndef MINESEAL_EMULATION

#include <cuda_fp16.h>

#define DEVICE __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define KERNEL_MANY(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define BLOCK_SHARED __shared__

// Two halves in one register, as two floats; the first lies in the lower bits.
DEVICE float2 unpack(unsigned pair) {
    return __half22float2(*reinterpret_cast<const __half2*>(&pair));
}

DEVICE unsigned pack(float first, float second) {
    const __half2 pair = __floats2half2_rn(first, second);
    return *reinterpret_cast<const unsigned*>(&pair);
}

// The larger of each of the two; NaN counts as nothing.
DEVICE unsigned larger(unsigned one, unsigned other) {
    const __half2 pair = __hmax2(*reinterpret_cast<const __half2*>(&one), *reinterpret_cast<const __half2*>(&other));
    return *reinterpret_cast<const unsigned*>(&pair);
}

// e^x by the special function unit, to some 2 ulp.
DEVICE float quick_exp(float x) { return __expf(x); }

DEVICE float quick_divide(float x, float y) { return __fdividef(x, y); }

// 16 bytes that no thread of the launch writes.
DEVICE uint4 load_constant(const void* place) { return __ldg(static_cast<const uint4*>(place)); }

DEVICE float4 load_constant_floats(const float* place) { return __ldg(reinterpret_cast<const float4*>(place)); }

// The same, and zeros without touching memory where it does not hold. No branch: many such loads can be under way at once.
DEVICE uint4 load_constant_if(bool holds, const uint4* place) {
    uint4 loaded;
    asm("{ .reg .pred p; setp.ne.s32 p, %5, 0; mov.b32 %0, 0; mov.b32 %1, 0; mov.b32 %2, 0; mov.b32 %3, 0;"
        " @p ld.global.nc.v4.b32 {%0, %1, %2, %3}, [%4]; }"
        : "=&r"(loaded.x), "=&r"(loaded.y), "=&r"(loaded.z), "=&r"(loaded.w)
        : "l"(place), "r"(static_cast<int>(holds)));
    return loaded;
}

DEVICE uint2 load_constant_if(bool holds, const uint2* place) {
    uint2 loaded;
    asm("{ .reg .pred p; setp.ne.s32 p, %3, 0; mov.b32 %0, 0; mov.b32 %1, 0; @p ld.global.nc.v2.b32 {%0, %1}, [%2]; }"
        : "=&r"(loaded.x), "=&r"(loaded.y)
        : "l"(place), "r"(static_cast<int>(holds)));
    return loaded;
}

DEVICE unsigned load_constant_if(bool holds, const unsigned* place) {
    unsigned loaded;
    asm("{ .reg .pred p; setp.ne.s32 p, %2, 0; mov.b32 %0, 0; @p ld.global.nc.b32 %0, [%1]; }"
        : "=&r"(loaded)
        : "l"(place), "r"(static_cast<int>(holds)));
    return loaded;
}

// As load_constant_if, of what this thread may write later.
DEVICE uint4 load_if(bool holds, const void* place) {
    uint4 loaded;
    asm volatile("{ .reg .pred p; setp.ne.s32 p, %5, 0; mov.b32 %0, 0; mov.b32 %1, 0; mov.b32 %2, 0; mov.b32 %3, 0;"
        " @p ld.global.v4.b32 {%0, %1, %2, %3}, [%4]; }"
        : "=&r"(loaded.x), "=&r"(loaded.y), "=&r"(loaded.z), "=&r"(loaded.w)
        : "l"(place), "r"(static_cast<int>(holds))
        : "memory");
    return loaded;
}

// Two of the four bytes of a word, the lower or the upper, as halves: 1024 + byte has the byte as its lowest bits.
DEVICE unsigned lower_bytes(unsigned word) {
    const unsigned raised = __byte_perm(word, 0x64646464u, 0x4140);
    const unsigned thousand = 0x64006400u;
    const __half2 pair = __hsub2(*reinterpret_cast<const __half2*>(&raised), *reinterpret_cast<const __half2*>(&thousand));
    return *reinterpret_cast<const unsigned*>(&pair);
}

DEVICE unsigned upper_bytes(unsigned word) { return lower_bytes(word >> 16); }

// c += a b of a 16x16 and a 16x8 tile, f16 into f32; each lane of the warp holds its part of the tiles (PTX ISA,
// mma.m16n8k16).
DEVICE void multiply_add(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Of the lane whose number differs in these bits.
DEVICE float exchange(float value, int bits) { return __shfl_xor_sync(0xffffffffu, value, bits); }
DEVICE int exchange(int value, int bits) { return __shfl_xor_sync(0xffffffffu, value, bits); }

// Whether it holds for any lane of the warp.
DEVICE bool any_lane(bool holds) { return __any_sync(0xffffffffu, holds); }

DEVICE void wait_for_block() { __syncthreads(); }

// What stood there before.
DEVICE int count_up(int* counter) { return atomicAdd(counter, 1); }

#endif
