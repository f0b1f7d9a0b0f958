// Inverted dropout with a counter-based random generator: `src/dropout/` for CUDA, with the same bits.
//
// Element i is kept if the 32 random bits of (base, i) are at least `threshold`. `base` is made from the seed and the stream by the host.
// The loops work for any grid, and for more than 2^32 elements.
//
// This is C as well as CUDA: a test compiles it with the compiler of the host and compares it with the code for the CPU, bit by bit
// (`src/dropout/source_tests.rs`). So it includes no header of CUDA, and rounds bf16 by itself.

#ifdef __cplusplus
#define KERNEL extern "C" __global__
#else
#define KERNEL __global__
#endif

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short bf16_bits;

// SplitMix64.
__device__ __forceinline__ u64 random_bits(u64 base, u64 pair) {
    u64 z = base + pair * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

__device__ __forceinline__ float decide(u32 bits, u32 threshold, float scale, float x) {
    return bits >= threshold ? x * scale : 0.0f;
}

__device__ __forceinline__ float load_f32(float x) { return x; }
__device__ __forceinline__ float store_f32(float x) { return x; }

__device__ __forceinline__ float load_bf16(bf16_bits x) { return __uint_as_float((u32)x << 16); }

// To nearest, ties to even. NaN stays NaN.
__device__ __forceinline__ bf16_bits store_bf16(float x) {
    u32 bits = __float_as_uint(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
        return (bf16_bits)((bits >> 16) | 0x40u);
    }
    return (bf16_bits)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// 64 random bits decide two elements, so one thread handles both. `x` and `y` need no more alignment than their elements.
#define DROPOUT(NAME, T)                                                                                               \
    KERNEL void dropout_##NAME(u64 n, u64 base, u32 threshold, float scale, const T *x, T *y) {                        \
        u64 pairs = n / 2 + n % 2;                                                                                     \
        u64 threads = (u64)gridDim.x * blockDim.x;                                                                     \
        for (u64 pair = (u64)blockIdx.x * blockDim.x + threadIdx.x; pair < pairs; pair += threads) {                   \
            u64 bits = random_bits(base, pair);                                                                        \
            u64 i = 2 * pair;                                                                                          \
            y[i] = store_##NAME(decide((u32)bits, threshold, scale, load_##NAME(x[i])));                               \
            if (i + 1 < n) {                                                                                           \
                y[i + 1] = store_##NAME(decide((u32)(bits >> 32), threshold, scale, load_##NAME(x[i + 1])));           \
            }                                                                                                          \
        }                                                                                                              \
    }

DROPOUT(f32, float)
DROPOUT(bf16, bf16_bits)
