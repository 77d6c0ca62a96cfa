// All kernels, as one module.
#include "device.cuh"

#include "pixels.cuh"

#include "pool.cuh"
#include "predict.cuh"
#include "stem.cuh"
