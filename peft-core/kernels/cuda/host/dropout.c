/*
 * The kernels of dropout.cu on the host.
 *
 *   dropout f32|bf16 N BASE THRESHOLD SCALE_BITS GRID BLOCK    elements from stdin, the result to stdout
 *   dropout bits BASE PAIR                                     the 64 random bits of a pair, as decimal digits
 */
#include "cuda.h"

#include "../dropout.cu"

static u64 number(const char *text) { return strtoull(text, NULL, 10); }

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "bits") == 0) {
        printf("%llu\n", random_bits(number(arguments[2]), number(arguments[3])));
        return 0;
    }
    if (count != 8) {
        return 2;
    }
    int is_f32 = strcmp(arguments[1], "f32") == 0;
    size_t size = is_f32 ? sizeof(float) : sizeof(bf16_bits);
    u64 n = number(arguments[2]), base = number(arguments[3]);
    u32 threshold = (u32)number(arguments[4]);
    float scale = __uint_as_float((u32)number(arguments[5]));
    u32 grid = (u32)number(arguments[6]), block = (u32)number(arguments[7]);
    /* One element more than the kernel may write: it must stay as it is. */
    unsigned char *x = malloc((n + 1) * size), *y = malloc((n + 1) * size);
    if (!x || !y || fread(x, size, n, stdin) != n) {
        return 3;
    }
    memset(y, 0xA5, (n + 1) * size);
    if (is_f32) {
        LAUNCH(grid, block, dropout_f32(n, base, threshold, scale, (const float *)x, (float *)y));
    } else {
        LAUNCH(grid, block, dropout_bf16(n, base, threshold, scale, (const bf16_bits *)x, (bf16_bits *)y));
    }
    return fwrite(y, size, n + 1, stdout) == n + 1 ? 0 : 4;
}
