/*
 * The kernels of dropout.cu on the host.
 *
 *   dropout f32|bf16 N BASE THRESHOLD SCALE_BITS GRID BLOCK FIRST
 *       Elements FIRST.. of N from stdin, the result and one element more to stdout. Blocks before that of FIRST do not run; so a kernel
 *       can be tried at the end of more elements than there is memory for.
 *   dropout bits BASE PAIR
 *       The 64 random bits of a pair, in decimal digits.
 *   dropout decide BITS THRESHOLD SCALE_BITS X_BITS
 *       The bits of an element, in decimal digits.
 *   dropout round N
 *       N times f32 from stdin, rounded to bf16 to stdout.
 */
#include <stdint.h>

#include "cuda.h"

#include "../dropout.cu"

static u64 number(const char *text) { return strtoull(text, NULL, 10); }

/* Where an array would begin whose element `first` is at `window`. */
static void *whole(void *window, u64 first, size_t size) { return (void *)((uintptr_t)window - first * size); }

static int launch(char **arguments) {
    int is_f32 = strcmp(arguments[0], "f32") == 0;
    size_t size = is_f32 ? sizeof(float) : sizeof(bf16_bits);
    u64 n = number(arguments[1]), base = number(arguments[2]);
    u32 threshold = (u32)number(arguments[3]);
    float scale = __uint_as_float((u32)number(arguments[4]));
    u32 grid = (u32)number(arguments[5]), block = (u32)number(arguments[6]);
    u64 first = number(arguments[7]), count = n - first;
    /* One element more than the kernel may write: it must stay as it is. */
    void *x_window = malloc((count + 1) * size), *y_window = malloc((count + 1) * size);
    if (!x_window || !y_window || fread(x_window, size, count, stdin) != count) {
        return 3;
    }
    memset(y_window, 0xA5, (count + 1) * size);
    void *x = whole(x_window, first, size), *y = whole(y_window, first, size);
    u32 from = (u32)(first / 2 / block);
    if (is_f32) {
        LAUNCH(from, grid, block, dropout_f32(n, base, threshold, scale, (const float *)x, (float *)y));
    } else {
        LAUNCH(from, grid, block, dropout_bf16(n, base, threshold, scale, (const bf16_bits *)x, (bf16_bits *)y));
    }
    return fwrite(y_window, size, count + 1, stdout) == count + 1 ? 0 : 4;
}

static int round_all(u64 n) {
    for (u64 i = 0; i < n; i++) {
        float x;
        if (fread(&x, sizeof x, 1, stdin) != 1) {
            return 3;
        }
        bf16_bits y = store_bf16(x);
        fwrite(&y, sizeof y, 1, stdout);
    }
    return 0;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    if (count == 4 && strcmp(what, "bits") == 0) {
        printf("%llu\n", random_bits(number(arguments[2]), number(arguments[3])));
        return 0;
    }
    if (count == 6 && strcmp(what, "decide") == 0) {
        float scale = __uint_as_float((u32)number(arguments[4])), x = __uint_as_float((u32)number(arguments[5]));
        printf("%u\n", __float_as_uint(decide((u32)number(arguments[2]), (u32)number(arguments[3]), scale, x)));
        return 0;
    }
    if (count == 3 && strcmp(what, "round") == 0) {
        return round_all(number(arguments[2]));
    }
    return count == 9 ? launch(arguments + 1) : 2;
}
