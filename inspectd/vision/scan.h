// The loops of scan.c, which includes this once for each kind of processor, after it defined
//   NAME(f)             the name of f for this processor       TARGET   the instructions that it may use
//   LANES               floats in a register                   LEVELS   a query's codes lie in -LEVELS … LEVELS, OFFSET added
//   TILE, WIDE          queries, and registers of the bank, worked on at once: each load serves several products
//   DOT(sum, word, at)  sums, each plus four products of an unsigned byte of `word` and a signed byte from `at` on
//   MIN(v, w)           the smaller of each lane               BELOW(v, limit)  bit i: v[i] <= limit
//   LEAST(v), SUM(v)    of all lanes                           FIRST(at, n)  n floats, then zeros

#define floats NAME(floats)
#define ints NAME(ints)
#define query NAME(query)
#define bytes NAME(bytes)
typedef float floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int8_t bytes __attribute__((vector_size(LANES)));
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
    floats even = {0}, odd = {0};  // one sum would wait for itself
    int64_t i = 0;
    for (; i + 2 * LANES <= d; i += 2 * LANES) {
        const floats one = FLOATS(q + i) - FLOATS(b + i), other = FLOATS(q + i + LANES) - FLOATS(b + i + LANES);
        even += one * one, odd += other * other;
    }
    for (; i < d; i += LANES) {
        const int64_t left = d - i < LANES ? d - i : LANES;
        const floats one = FIRST(q + i, left) - FIRST(b + i, left);
        even += one * one;
    }
    return SUM(even + odd);
}

// Quantise: the nearest of the levels -LEVELS … LEVELS of the largest value. What is lost is measured, not estimated.
TARGET static inline void NAME(encode)(struct query *q, const float *values) {
    floats least = {0}, lost = {0}, squares = {0};
    for (int i = 0; i < CODES; i += LANES) least = MIN(least, MIN(FLOATS(values + i), -FLOATS(values + i)));
    const float largest = -LEAST(least);
    q->step = largest > 1e-30f ? largest / LEVELS : 0;
    const float per_step = largest > 1e-30f ? LEVELS / largest : 0;
    for (int i = 0; i < CODES; i += LANES) {
        const floats value = FLOATS(values + i), positive = value * per_step + (LEVELS + 0.5f);
        const ints code = __builtin_convertvector(positive, ints) - LEVELS;  // what is cut off a positive number rounds it
        const bytes byte = __builtin_convertvector(code + OFFSET, bytes);
        memcpy(q->codes + i, &byte, sizeof byte);
        const floats level = __builtin_convertvector(code, floats), difference = value - q->step * level;
        squares += level * level, lost += difference * difference;
    }
    q->square = q->step * q->step * SUM(squares);
    q->margin = sqrtf(SUM(lost)) * 1.00001f;
}

// A query as the bank's vectors are: written to `to`, which is returned.
TARGET static inline const float *NAME(standardise)(const struct asked *asked, const float *q, float *restrict to, int64_t d) {
    for (int64_t i = 0; i < d; i++) to[i] = (q[i] - asked->mean[i]) / asked->scale[i];
    return to;
}

// Queries on the axes, several at once, so that each load of an axis serves several products.
TARGET static inline void NAME(project)(const struct bank *bank, const float *centred, float values[TILE][CODES]) {
    for (int at = 0; at < CODES; at += 4 * LANES)
        for (int first = 0; first < TILE; first += TILE / 2) {
            floats sums[TILE / 2][4] = {0};
            for (int64_t i = 0; i < bank->d; i++)
                for (int t = 0; t < TILE / 2; t++)
                    for (int a = 0; a < 4; a++)
                        sums[t][a] += centred[(first + t) * bank->d + i] * FLOATS(bank->axes + i * CODES + at + a * LANES);
            for (int t = 0; t < TILE / 2; t++) memcpy(values[first + t] + at, sums[t], sizeof sums[t]);
        }
}

TARGET static inline float NAME(squared_norm)(const float *values, int64_t count) {
    floats sum = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) sum += FLOATS(values + i) * FLOATS(values + i);
    return SUM(sum + FIRST(values + i, count - i) * FIRST(values + i, count - i));
}

// Bring the queries of a tile onto the axes and encode them.
TARGET static void NAME(prepare)(const struct bank *bank, struct query *tile, float *centred) {
    float values[TILE][CODES];
    for (int t = 0; t < TILE; t++)
        for (int64_t i = 0; i < bank->d; i++) centred[t * bank->d + i] = tile[t].vector[i] - bank->centre[i];
    NAME(project)(bank, centred, values);
    for (int t = 0; t < TILE; t++) {
        struct query *const q = tile + t;
        const float norm = NAME(squared_norm)(centred + t * bank->d, bank->d);
        memset(q->codes, 0, sizeof q->codes);
        q->index = 0, q->step = 0, q->best = norm;
        q->wild = !(norm <= FLT_MAX);
        if (q->wild) continue;  // infinite or not a number: so is its distance from any vector
        float unsure = 0;
        if (bank->rest >= 0) {
            const float rest = sqrtf(larger(norm - NAME(squared_norm)(values[t], CODES), 0)), error = 4 * bank->rounding * norm;
            unsure = error > 0 ? error / larger(rest, sqrtf(error)) : 0;  // |√a - √b| <= |a - b| / √a, and <= √|a - b|
            values[t][CODES - 1] = rest - bank->rest;
        }
        NAME(encode)(q, values[t]);
        q->margin += bank->rounding * sqrtf(norm) + unsure + 1e-18f;
        q->best = q->reach = INFINITY;
    }
}

// Compare TILE queries with a group, TILE x WIDE sums of products of codes at a time, which stay in registers. From them to
// squared distances, each less the query's own square, and the smallest of each lane.
TARGET static inline void NAME(compare)(const struct bank *bank, int64_t group, const struct query *tile, struct work *work,
                                        int64_t place) {
    const int8_t *const codes = bank->codes + group * GROUP * CODES;
    const int32_t *const of_codes = bank->sums + group * GROUP;
    const float *const squares = bank->squares + group * GROUP;
    float scales[TILE];
    floats least[TILE];
    for (int t = 0; t < TILE; t++) scales[t] = 2 * tile[t].step * bank->steps[group], least[t] = (floats){0} + INFINITY;
    for (int at = 0; at < GROUP; at += WIDE * LANES) {
        ints sums[TILE][WIDE];
        for (int t = 0; t < TILE; t++)
            for (int w = 0; w < WIDE; w++) sums[t][w] = *(const ints *)(of_codes + at + w * LANES) * -OFFSET;
        for (int s = 0; s < STEPS; s++) {
            const int8_t *const four = codes + PLACE(at) + 64 * s;
            for (int w = 0; w < WIDE; w++) __builtin_prefetch(four + PLACE((w + WIDE) * LANES));  // for the next sums
            for (int t = 0; t < TILE; t++) {
                int32_t word;
                memcpy(&word, tile[t].codes + 4 * s, sizeof word);
                for (int w = 0; w < WIDE; w++) sums[t][w] = DOT(sums[t][w], word, four + PLACE(w * LANES));
            }
        }
#pragma GCC unroll 16
        for (int t = 0; t < TILE; t++)
#pragma GCC unroll 4
            for (int w = 0; w < WIDE; w++) {
                const floats product = __builtin_convertvector(sums[t][w], floats);
                const floats apart = FLOATS(squares + at + w * LANES) - product * scales[t];
                *(floats *)(work->apart[t] + place * GROUP + at + w * LANES) = apart;
                least[t] = MIN(apart, least[t]);
            }
    }
    for (int t = 0; t < TILE; t++) *(floats *)(work->least[t] + place * LANES) = least[t];
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

// Which of a group's vectors are compared at up to a limit: bit i for vector i.
TARGET static inline uint64_t NAME(below)(const float *apart, float limit) {
    uint64_t found = 0;
    for (int at = 0; at < GROUP; at += LANES) found |= (uint64_t)BELOW(FLOATS(apart + at), limit) << at;
    return found;
}

// Look at the vector of a chunk that is nearest by its codes, if it may be nearer at all: then few others may.
TARGET static void NAME(try)(const struct bank *bank, struct query *q, const float *apart, const float *least, int64_t start,
                             int64_t groups) {
    floats lowest = FLOATS(least);
    for (int64_t g = 1; g < groups; g++) lowest = MIN(lowest, FLOATS(least + g * LANES));
    const float seems = LEAST(lowest);
    if (!(seems <= NAME(limit)(q, bank->margin))) return;
    int64_t g = 0;
    while (!BELOW(FLOATS(least + g * LANES), seems)) g++;
    NAME(look)(bank, q, (start + g) * GROUP + __builtin_ctzll(NAME(below)(apart + g * GROUP, seems)));
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
        for (uint64_t near = NAME(below)(apart + g * GROUP, limit); near; near &= near - 1) {
            waiting[count] = (int32_t)(g * GROUP + __builtin_ctzll(near));
            const float *const vector = vectors + waiting[count++] * bank->d;
            for (int64_t i = 0; i < bank->d; i += 16) __builtin_prefetch(vector + i);
        }
    }
    for (int64_t i = 0; i < count; i++) NAME(look)(bank, q, start * GROUP + waiting[i]);
    return count;
}

// Search the bank for every second query of a share, from `first` on, chunk by chunk. Queries that lie beside each other in a
// picture are alike: once the even ones are known, their nearest vectors are good first guesses for the odd ones between them.
// Returns how many distances were worked out in full.
TARGET static int64_t NAME(search)(const struct bank *bank, const struct asked *asked, int64_t at, int64_t first,
                                   struct work *work) {
    struct query some[SHARE / 2];
    int64_t looked = 0, *const indices = asked->indices + at;
    const int64_t n = asked->n - at < asked->share ? asked->n - at : asked->share, count = (n + 1 - first) / 2;
    float *const standard = work->tile + TILE * bank->d;
    for (int64_t k = 0; k < count; k += TILE) {
        for (int64_t t = k; t < k + TILE; t++) {  // the last tile is filled up with the last query
            some[t].vector = asked->queries + (at + first + 2 * (t < count ? t : count - 1)) * bank->d;
            if (asked->mean) some[t].vector = NAME(standardise)(asked, some[t].vector, standard + t * bank->d, bank->d);
        }
        NAME(prepare)(bank, some + k, work->tile);
    }
    for (int64_t k = 0, i = first; first && k < count; k++, i += 2) {
        if (some[k].wild) continue;
        NAME(look)(bank, some + k, indices[i - 1]);
        if (i + 1 < n) NAME(look)(bank, some + k, indices[i + 1]);
    }
    for (int64_t start = 0; start < bank->groups; start += CHUNK) {
        const int64_t groups = bank->groups - start < CHUNK ? bank->groups - start : CHUNK;
        for (int64_t k = 0; k < count; k += TILE) {
            for (int64_t g = 0; g < groups; g++) NAME(compare)(bank, start + g, some + k, work, g);
            for (int64_t t = 0; t < TILE && k + t < count; t++) {
                struct query *const q = some + k + t;
                if (q->wild) continue;
                NAME(try)(bank, q, work->apart[t], work->least[t], start, groups);
                looked += NAME(settle)(bank, q, work->apart[t], work->least[t], start, groups, work->waiting);
            }
        }
    }
    for (int64_t k = 0, i = first; k < count; k++, i += 2)
        asked->distances[at + i] = sqrtf(some[k].best), indices[i] = some[k].index;
    return looked;
}

// Take share after share until none is left.
TARGET static int64_t NAME(run)(const struct bank *bank, const struct asked *asked, struct work *work) {
    int64_t looked = 0;
    for (;;) {
        const int64_t at = __atomic_fetch_add(asked->next, asked->share, __ATOMIC_RELAXED);
        if (at >= asked->n) return looked;
        for (int64_t first = 0; first < 2; first++) looked += NAME(search)(bank, asked, at, first, work);
    }
}

#undef floats
#undef ints
#undef query
#undef bytes
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
#undef LEAST
#undef SUM
#undef FIRST
#undef BELOW
