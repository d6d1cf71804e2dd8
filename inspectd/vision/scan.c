// Exact nearest neighbours by bounds in 8 bits: scan.py says what is computed and prepares the bank, scan.h has the loops.
// They use the vector extensions of GCC and clang and are compiled for two kinds of x86-64 processor.

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <immintrin.h>

enum {
    CODES = 64,           // codes of a vector, a byte each: one line of cache
    STEPS = CODES / 4,    // the processor multiplies and adds four at once
    BLOCKS = 4,           // a group is so many blocks of 16 bank vectors
    GROUP = 16 * BLOCKS,  // bank vectors
    CHUNK = 64,           // groups whose compared distances are held at once: 128 KB for 8 queries, in the cache of a core
    SHARE = 128           // queries that a thread takes at a time, at most; half of them share each reading of the bank
};

struct bank {
    int64_t count, d;      // vectors, values of each, at least 16
    int64_t groups;        // of vectors; the last is filled up with codes that never come near
    const float *vectors;  // [count][d]
    const float *centre;   // [d]
    const float *axes;     // [d][CODES] orthonormal columns; the last is zero if `rest` counts
    const int8_t *codes;   // [groups][BLOCKS][STEPS][16][4]
    const int32_t *sums;   // [groups][GROUP] sum of a vector's codes
    const float *steps;    // [groups] what one level is worth
    const float *squares;  // [groups][GROUP] squared norm of the coded vector
    const float *margins;  // [groups] a coded vector of the group is at most so far from its vector
    float margin;          // the largest of them
    float rest;            // mean norm of what the axes leave of a vector: the last code is the difference; < 0: none is left
    float rounding;        // bound of the relative rounding error of a query on the axes
};

struct asked {  // what all threads of a search share
    const float *queries;       // [n][d]
    const float *mean, *scale;  // [d] of the bank, by which queries are standardised; NULL: they are
    int64_t n, share;  // queries; of which a thread takes so many at a time, at most SHARE
    int64_t *next;     // the first query that no thread has taken yet
    float *distances;  // [n] of the nearest vectors
    int64_t *indices;  // [n]
};

struct work {  // rows a little longer than a power of two, which would put all of them into the same lines of the cache
    float apart[8][CHUNK * GROUP + 16];  // compared distances of up to 8 queries
    float least[8][CHUNK * 16 + 16];     // the smallest of each lane of a group
    int32_t waiting[CHUNK * GROUP];      // vectors of the chunk that are to be compared in full
    float tile[];                        // [8][d] queries less the centre; after them [SHARE / 2][d] standardised ones
};

// Where the codes of a lane of a group begin.
#define PLACE(lane) ((lane) / 16 * 16 * CODES + (lane) % 16 * 4)

static inline float larger(float a, float b) { return a > b ? a : b; }  // fmaxf is a call
static inline float smaller(float a, float b) { return a < b ? a : b; }

#define NAME(f) f##_vnni
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,prefer-vector-width=512")))
#define LANES 16
#define TILE 8
#define WIDE 2
#define LEVELS 127
#define OFFSET 128
#define DOT(sum, word, at) (ints) _mm512_dpbusd_epi32((__m512i)(sum), _mm512_set1_epi32(word), _mm512_loadu_si512(at))
#define MIN(v, w) (floats) _mm512_min_ps((__m512)(v), (__m512)(w))
#define LEAST(v) _mm512_reduce_min_ps((__m512)(v))
#define SUM(v) _mm512_reduce_add_ps((__m512)(v))
#define FIRST(at, count) (floats) _mm512_maskz_loadu_ps((1u << (count)) - 1, at)
#define BELOW(v, limit) _mm512_cmp_ps_mask((__m512)(v), _mm512_set1_ps(limit), _CMP_LE_OQ)
#include "scan.h"

// What AVX-512 has as one intrinsic.
#define AVX2 __attribute__((target("avx2,fma")))
AVX2 static inline float least_avx2(__m256 v) {
    __m128 w = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    w = _mm_min_ps(w, _mm_movehl_ps(w, w));
    return _mm_cvtss_f32(_mm_min_ss(w, _mm_movehdup_ps(w)));
}
AVX2 static inline float sum_avx2(__m256 v) {
    __m128 w = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    w = _mm_add_ps(w, _mm_movehl_ps(w, w));
    return _mm_cvtss_f32(_mm_add_ss(w, _mm_movehdup_ps(w)));
}
AVX2 static inline __m256 first_avx2(const float *at, int64_t count) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(at, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lanes));
}

// AVX2 adds products of bytes by twos into 16 bits, which they must not overflow: 7 bits for a query. It has 16 registers.
#define NAME(f) f##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define TILE 4
#define WIDE 2
#define LEVELS 63
#define OFFSET 64
#define DOT(sum, word, at)                                                                                            \
    ((sum) + (ints)_mm256_madd_epi16(                                                                                 \
                 _mm256_maddubs_epi16(_mm256_set1_epi32(word), _mm256_loadu_si256((const __m256i *)(at))),            \
                 _mm256_set1_epi16(1)))
#define MIN(v, w) (floats) _mm256_min_ps((__m256)(v), (__m256)(w))
#define LEAST(v) least_avx2((__m256)(v))
#define SUM(v) sum_avx2((__m256)(v))
#define FIRST(at, count) (floats) first_avx2(at, count)
#define BELOW(v, limit) (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)(v), _mm256_set1_ps(limit), _CMP_LE_OQ))
#include "scan.h"

// Of this file's interface: a library of another version is not used.
int scan_version(void) { return 4; }

// What this processor can run: bit 0 AVX2, bit 1 AVX-512 with VNNI.
int scan_paths(void) {
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int vnni = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
    return avx2 | (avx2 && vnni) << 1;
}

// Search for what is asked until all is taken, so that several threads can share the work. Returns how many distances this one
// worked out in full, or -1 without memory.
int64_t scan_run(const struct bank *bank, int vnni, const struct asked *asked) {
    struct work *const work = malloc(sizeof *work + (8 + SHARE / 2) * bank->d * sizeof *work->tile);
    if (!work) return -1;
    const int64_t looked = vnni ? run_vnni(bank, asked, work) : run_avx2(bank, asked, work);
    free(work);
    return looked;
}
