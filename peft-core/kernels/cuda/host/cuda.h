/* What a CUDA compiler knows and a C compiler does not: enough to run kernels without barriers, one thread after the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define __global__
#define __device__ static
#define __forceinline__ inline

struct index {
    unsigned int x;
};

static struct index gridDim, blockDim, blockIdx, threadIdx;

static inline float __uint_as_float(unsigned int bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline unsigned int __float_as_uint(float x) {
    unsigned int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Runs `call` for every thread of every block, from block `from` on. */
#define LAUNCH(from, grid, block, call)                                                                                \
    do {                                                                                                               \
        gridDim.x = (grid);                                                                                            \
        blockDim.x = (block);                                                                                          \
        for (blockIdx.x = (from); blockIdx.x < gridDim.x; blockIdx.x++) {                                              \
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) {                                           \
                call;                                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)
