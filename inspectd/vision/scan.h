// The loops of scan.c, which includes this once for each kind of processor, after it defined
//   NAME(f)             the name of f for this processor       TARGET   the instructions that it may use
//   LANES               floats in a register                   LEVELS   a query's codes lie in -LEVELS … LEVELS, OFFSET added
//   TILE, WIDE          queries, and registers of the bank, worked on at once: each load serves several products
//   DOT(sum, word, at)  sums, each plus four products of an unsigned byte of `word` and a signed byte from `at` on
//   MIN(v, w)           the smaller of each lane               BELOW(v, limit)  bit i: v[i] <= limit

#define floats NAME(floats)
#define ints NAME(ints)
#define query NAME(query)
typedef float floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define FLOATS(at) (*(const floats *)(at))

// A query as codes, and what is known of its nearest bank vector so far.
struct query {
    const float *vector;
    uint8_t codes[CODES];  // plus OFFSET, where DOT takes bytes without sign
    float step, square;    // what one level is worth; squared norm of the coded vector
    float margin;          // the coded vector is at most so far from the query, rounding included
    float best, reach;     // smallest squared distance so far; its root plus `margin`
    int64_t index;         // of that bank vector
    int wild;              // not finite: there is nothing to search
};

TARGET static inline float NAME(squared_distance)(const float *q, const float *b, int64_t d) {
    floats sum = {0};
    int64_t i = 0;
    for (; i + LANES <= d; i += LANES) {
        const floats apart = FLOATS(q + i) - FLOATS(b + i);
        sum += apart * apart;
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++) sum[lane] += sum[lane + half];
    float total = sum[0];
    for (; i < d; i++) total += (q[i] - b[i]) * (q[i] - b[i]);
    return total;
}

// Quantise: the nearest of the levels -LEVELS … LEVELS of the largest value. What is lost is measured, not estimated.
TARGET static inline void NAME(encode)(struct query *q, const float *values) {
    float largest = 0, lost = 0;
    int32_t square = 0;
    for (int i = 0; i < CODES; i++) largest = larger(largest, fabsf(values[i]));
    q->step = largest > 1e-30f ? largest / LEVELS : 0;
    const float per_step = largest > 1e-30f ? LEVELS / largest : 0;
    for (int i = 0; i < CODES; i++) {
        const int32_t code = (int32_t)(values[i] * per_step + (LEVELS + 0.5f)) - LEVELS;  // of a positive number: rounded
        q->codes[i] = (uint8_t)(code + OFFSET);
        square += code * code;
        const float difference = values[i] - q->step * (float)code;
        lost += difference * difference;
    }
    q->square = q->step * q->step * (float)square;
    q->margin = sqrtf(lost) * 1.00001f;
}

// Bring a query onto the axes and encode it.
TARGET static void NAME(prepare)(const struct bank *bank, struct query *q) {
    floats on_axes[CODES / LANES] = {0};
    float norm = 0, on = 0, values[CODES];
    for (int64_t i = 0; i < bank->d; i++) {
        const float value = q->vector[i] - bank->centre[i];
        norm += value * value;
        for (int a = 0; a < CODES / LANES; a++) on_axes[a] += value * FLOATS(bank->axes + i * CODES + a * LANES);
    }
    memset(q->codes, 0, sizeof q->codes);
    q->index = 0, q->step = 0, q->best = norm;
    q->wild = !(norm <= FLT_MAX);
    if (q->wild) return;  // infinite or not a number: so is its distance from any vector
    memcpy(values, on_axes, sizeof values);
    float unsure = 0;
    if (bank->rest >= 0) {
        for (int i = 0; i < CODES; i++) on += values[i] * values[i];
        const float rest = sqrtf(larger(norm - on, 0)), error = 4 * bank->rounding * norm;
        unsure = error > 0 ? error / larger(rest, sqrtf(error)) : 0;  // |√a - √b| <= |a - b| / √a, and <= √|a - b|
        values[CODES - 1] = rest - bank->rest;
    }
    NAME(encode)(q, values);
    q->margin += bank->rounding * sqrtf(norm) + unsure + 1e-18f;
    q->best = q->reach = INFINITY;
}

// From sums of products of codes to squared distances, each less the query's own square, and the smallest of each lane.
TARGET static inline void NAME(measure)(const struct bank *bank, int64_t at, int t, const struct query *q, ints sums,
                                        struct work *work, int64_t place) {
    const floats product = __builtin_convertvector(sums, floats);
    const floats apart = FLOATS(bank->squares + at) - product * (2 * q->step * bank->steps[at / GROUP]);
    floats *const least = (floats *)(work->least[t] + place * LANES);
    *(floats *)(work->apart[t] + place * GROUP + at % GROUP) = apart;
    *least = at % GROUP == 0 ? apart : MIN(apart, *least);
}

// Compare TILE queries with a group: TILE x WIDE sums stay in registers.
TARGET static inline void NAME(compare)(const struct bank *bank, int64_t group, const struct query *tile, struct work *work,
                                        int64_t place) {
    for (int64_t at = group * GROUP; at < (group + 1) * GROUP; at += WIDE * LANES) {
        ints sums[TILE][WIDE];
        const int8_t *const codes = bank->codes + at / 16 * 16 * CODES + at % 16 * 4;
        for (int t = 0; t < TILE; t++)
            for (int w = 0; w < WIDE; w++) sums[t][w] = *(const ints *)(bank->sums + at + w * LANES) * -OFFSET;
        for (int s = 0; s < STEPS; s++)
            for (int t = 0; t < TILE; t++) {
                int32_t word;
                memcpy(&word, tile[t].codes + 4 * s, sizeof word);
                for (int w = 0; w < WIDE; w++)
                    sums[t][w] = DOT(sums[t][w], word, codes + w * LANES / 16 * 16 * CODES + w * LANES % 16 * 4 + 64 * s);
            }
        for (int w = 0; w < WIDE; w++)
            for (int t = 0; t < TILE; t++) NAME(measure)(bank, at + w * LANES, t, tile + t, sums[t][w], work, place);
    }
}

// Up to this compared distance a vector of such a margin may be nearer than the best so far. The factors are for rounding.
TARGET static inline float NAME(limit)(const struct query *q, float margin) {
    const float reach = q->reach + margin;
    return smaller(reach * reach * 1.000001f - q->square * 0.999998f, FLT_MAX);
}

TARGET static inline void NAME(look)(const struct bank *bank, struct query *q, int64_t index) {
    const float distance = NAME(squared_distance)(q->vector, bank->vectors + index * bank->d, bank->d);
    if (distance > q->best || (distance == q->best && index > q->index)) return;
    q->best = distance, q->index = index;
    q->reach = sqrtf(distance) * 1.000002f + q->margin;
}

// Look at the vector of a chunk that is nearest by its codes, if it may be nearer at all: then few others may.
TARGET static void NAME(try)(const struct bank *bank, struct query *q, const float *apart, const float *least, int64_t start,
                             int64_t groups) {
    floats lowest = FLOATS(least);
    for (int64_t g = 1; g < groups; g++) lowest = MIN(lowest, FLOATS(least + g * LANES));
    float seems = lowest[0];
    for (int lane = 1; lane < LANES; lane++) seems = smaller(seems, lowest[lane]);
    if (!(seems <= NAME(limit)(q, bank->margin))) return;
    int64_t at = 0;
    while (!BELOW(FLOATS(apart + at), seems)) at += LANES;
    NAME(look)(bank, q, start * GROUP + at + __builtin_ctz(BELOW(FLOATS(apart + at), seems)));
}

// Look at all vectors of a chunk that may be nearer. They come from memory, so all are asked for first. Returns how many.
TARGET static int64_t NAME(settle)(const struct bank *bank, struct query *q, const float *apart, const float *least,
                                   int64_t start, int64_t groups, int32_t *waiting) {
    int64_t count = 0;
    const float any = NAME(limit)(q, bank->margin);
    const float *const vectors = bank->vectors + start * GROUP * bank->d;
    for (int64_t g = 0; g < groups; g++) {
        if (!BELOW(FLOATS(least + g * LANES), any)) continue;
        const float limit = NAME(limit)(q, bank->margins[start + g]);
        for (int64_t at = g * GROUP; at < (g + 1) * GROUP; at += LANES)
            for (unsigned lanes = BELOW(FLOATS(apart + at), limit); lanes; lanes &= lanes - 1) {
                waiting[count] = (int32_t)(at + __builtin_ctz(lanes));
                const float *const vector = vectors + waiting[count++] * bank->d;
                for (int64_t i = 0; i < bank->d; i += 16) __builtin_prefetch(vector + i);
            }
    }
    for (int64_t i = 0; i < count; i++) NAME(look)(bank, q, start * GROUP + waiting[i]);
    return count;
}

// Search the bank for up to SHARE queries, chunk by chunk. Returns how many distances were worked out in full.
TARGET static int64_t NAME(search)(const struct bank *bank, const float *queries, int64_t n, struct work *work,
                                   float *distances, int64_t *indices) {
    struct query share[SHARE];
    int64_t looked = 0;
    const int64_t tiles = (n + TILE - 1) / TILE * TILE;  // the last tile is filled up with the last query
    for (int64_t i = 0; i < tiles; i++) {
        share[i].vector = queries + (i < n ? i : n - 1) * bank->d;
        NAME(prepare)(bank, share + i);
    }
    for (int64_t start = 0; start < bank->groups; start += CHUNK) {
        const int64_t groups = bank->groups - start < CHUNK ? bank->groups - start : CHUNK;
        for (int64_t i = 0; i < tiles; i += TILE) {
            for (int64_t g = 0; g < groups; g++) NAME(compare)(bank, start + g, share + i, work, g);
            for (int t = 0; t < TILE && i + t < n; t++) {
                struct query *const q = share + i + t;
                if (q->wild) continue;
                NAME(try)(bank, q, work->apart[t], work->least[t], start, groups);
                looked += NAME(settle)(bank, q, work->apart[t], work->least[t], start, groups, work->waiting);
            }
        }
    }
    for (int64_t i = 0; i < n; i++) distances[i] = sqrtf(share[i].best), indices[i] = share[i].index;
    return looked;
}

TARGET static int64_t NAME(run)(const struct bank *bank, const float *queries, int64_t n, int64_t *next, struct work *work,
                                float *distances, int64_t *indices) {
    int64_t looked = 0;
    for (;;) {
        const int64_t at = __atomic_fetch_add(next, SHARE, __ATOMIC_RELAXED);
        if (at >= n) return looked;
        const int64_t some = n - at < SHARE ? n - at : SHARE;
        looked += NAME(search)(bank, queries + at * bank->d, some, work, distances + at, indices + at);
    }
}

#undef floats
#undef ints
#undef query
#undef FLOATS
#undef NAME
#undef TARGET
#undef LANES
#undef TILE
#undef WIDE
#undef LEVELS
#undef OFFSET
#undef DOT
#undef MIN
#undef BELOW
