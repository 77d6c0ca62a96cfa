// The kernels on the host, found by their names.
#include "emulation.hpp"
// Instead of `device.cuh`, which is for the device's compiler alone.
#define MINESEAL_EMULATION
#include "kernels.cu"

namespace {

template <typename Parameters, void (*kernel)(Parameters)>
void entered(const void* parameters) {
    kernel(*static_cast<const Parameters*>(parameters));
}

struct Entry {
    const char* name;
    void (*kernel)(const void*);
};

#define PIXELS(name) {#name, entered<const PixelsParameters, name>}

const Entry ENTRIES[] = {
    PIXELS(pointwise_1_1), PIXELS(pointwise_2_1),
    PIXELS(pointwise_h_1_1), PIXELS(pointwise_h_2_1),
    PIXELS(separable_any_1), PIXELS(separable_any_2), PIXELS(separable_any_4), PIXELS(separable_any_h),
    PIXELS(separable_s1_1_1), PIXELS(separable_s1_1_2), PIXELS(separable_s1_1_4), PIXELS(separable_s1_2_1),
    PIXELS(separable_s1_h_1_1), PIXELS(separable_s1_h_2_1),
    PIXELS(separable_s2_1_1), PIXELS(separable_s2_1_2), PIXELS(separable_s2_1_4),
    PIXELS(separable_s2_h_1_1), PIXELS(separable_s2_h_2_1),
    {"stem", entered<const StemParameters, stem>},
    {"pool", entered<const PoolParameters, pool>},
    {"predict_boxes", entered<const PredictParameters, predict_boxes>},
    {"predict_classes", entered<const PredictParameters, predict_classes>},
};

}  // namespace

// 0; 1 where there is no such kernel; 2 where it loaded 16 bytes from an odd place.
extern "C" int mineseal_emulate(const char* name, const unsigned* grid, unsigned threads, const void* parameters) {
    for (const Entry& entry : ENTRIES) {
        if (std::strcmp(entry.name, name) != 0) continue;
        emulation::machine().faults = 0;
        emulation::run(entry.kernel, parameters, grid, threads);
        return emulation::machine().faults == 0 ? 0 : 2;
    }
    return 1;
}
