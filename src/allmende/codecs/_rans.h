/* The coder of blocks: residuals of words against predicted words, and byte planes, by interleaved rANS.
 *
 * rans_numpy.py says the same in numpy and is the norm: both give the same bytes for the same input. Payloads
 * are untrusted: every read of one is checked, tables are validated before they are used, and what is allocated
 * depends only on the number of words that the caller already holds buffers for. All numbers are unsigned, so
 * that no overflow is undefined, and little-endian where they are stored.
 *
 * A stream of tokens is stored as: u8 contexts; u16 first key of each context but the first; per context a
 * bitmap of its tokens and their frequencies, the last implied (one byte below 128, else two); u32 number of
 * u16 units; 32 states of u32; the units. Residuals add the raw bits of all words, in the order of words.
 *
 * It is one file of more than 500 lines because the compiler has to see the loops and what they call at once, to
 * make one of each for every width of words.
 */
#ifndef ALLMENDE_RANS_H
#define ALLMENDE_RANS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 32
#define SCALE_BITS 11
#define SCALE (1u << SCALE_BITS)
#define LOW_STATE (1u << 16)
#define MAX_CONTEXTS 16
#define MAX_TOKENS 256
#define MAX_KEYS 2048
#define EXACT_TOKENS 16 /* zigzag values below this are tokens themselves */
#define MAX_WORDS ((size_t)1 << 24)
#define BODY_HEAD (4 + 4 * LANES)

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#include <immintrin.h>
#define WITH_AVX2 1
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#else
#define WITH_AVX2 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define ALWAYS_INLINE static inline
#define UNLIKELY(x) (x)
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BIG_ENDIAN_MACHINE 1
#else
#define BIG_ENDIAN_MACHINE 0
#endif

/* --- words ------------------------------------------------------------------------------------------- */

typedef struct {
    unsigned bytes;      /* 1, 2, 4 or 8 */
    unsigned is_float;   /* sign and magnitude, to be put in order */
    unsigned key_shift;  /* where the key (exponent, or highest byte) stands in a word */
    unsigned key_mask;
} words_t;

ALWAYS_INLINE uint64_t load_word(const uint8_t *at, unsigned bytes) {
    if (BIG_ENDIAN_MACHINE) {
        uint64_t value = 0;
        for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
        return value;
    }
    if (bytes == 1) return *at;
    if (bytes == 2) { uint16_t v; memcpy(&v, at, 2); return v; }
    if (bytes == 4) { uint32_t v; memcpy(&v, at, 4); return v; }
    uint64_t v; memcpy(&v, at, 8); return v;
}

ALWAYS_INLINE void store_word(uint8_t *at, unsigned bytes, uint64_t value) {
    if (BIG_ENDIAN_MACHINE) {
        for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
        return;
    }
    if (bytes == 1) { *at = (uint8_t)value; return; }
    if (bytes == 2) { uint16_t v = (uint16_t)value; memcpy(at, &v, 2); return; }
    if (bytes == 4) { uint32_t v = (uint32_t)value; memcpy(at, &v, 4); return; }
    memcpy(at, &value, 8);
}

ALWAYS_INLINE uint64_t word_mask(unsigned bytes) { return bytes == 8 ? ~(uint64_t)0 : ((uint64_t)1 << (8 * bytes)) - 1; }

/* Signs are as good as random, so nothing here branches on them. */
ALWAYS_INLINE uint64_t ordered(uint64_t word, unsigned bytes, unsigned is_float) {
    unsigned top = 8 * bytes - 1;
    if (!is_float) return word;
    return word ^ (((0 - (word >> top)) & word_mask(bytes)) | (uint64_t)1 << top);
}

ALWAYS_INLINE uint64_t unordered(uint64_t place, unsigned bytes, unsigned is_float) {
    unsigned top = 8 * bytes - 1;
    if (!is_float) return place;
    return place ^ ((((place >> top) - 1) & word_mask(bytes)) | (uint64_t)1 << top);
}

/* The difference in order, seen from zero outwards, as zigzag. */
ALWAYS_INLINE uint64_t residual(uint64_t word, uint64_t predicted, unsigned bytes, unsigned is_float) {
    uint64_t mask = word_mask(bytes), turned = is_float ? 0 - (predicted >> (8 * bytes - 1)) : 0;
    uint64_t d = ordered(word, bytes, is_float) - ordered(predicted, bytes, is_float);
    d = ((d ^ turned) - turned) & mask;
    return ((d << 1) ^ (0 - (d >> (8 * bytes - 1)))) & mask;
}

ALWAYS_INLINE uint64_t restored(uint64_t zigzag, uint64_t predicted, unsigned bytes, unsigned is_float) {
    uint64_t turned = is_float ? 0 - (predicted >> (8 * bytes - 1)) : 0;
    uint64_t d = (zigzag >> 1) ^ (0 - (zigzag & 1));
    d = (d ^ turned) - turned;
    return unordered((ordered(predicted, bytes, is_float) + d) & word_mask(bytes), bytes, is_float);
}

/* The same two in 32 bits, for words of at most 4 bytes: compilers make vectors of them. */
ALWAYS_INLINE uint32_t residual_short(uint32_t word, uint32_t predicted, unsigned bytes, unsigned is_float) {
    unsigned top = 8 * bytes - 1;
    uint32_t sign = (uint32_t)1 << top, mask = sign | (sign - 1), turned = is_float ? 0 - (predicted >> top) : 0, d;
    if (is_float) {
        word ^= ((0 - (word >> top)) & mask) | sign;
        predicted ^= (turned & mask) | sign;
    }
    d = (((word - predicted) ^ turned) - turned) & mask;
    return ((d << 1) ^ (0 - (d >> top))) & mask;
}

ALWAYS_INLINE uint32_t restored_short(uint32_t zigzag, uint32_t predicted, unsigned bytes, unsigned is_float) {
    unsigned top = 8 * bytes - 1;
    uint32_t sign = (uint32_t)1 << top, mask = sign | (sign - 1), turned = is_float ? 0 - (predicted >> top) : 0;
    uint32_t d = (zigzag >> 1) ^ (0 - (zigzag & 1)), place;
    d = (d ^ turned) - turned;
    if (!is_float) return (predicted + d) & mask;
    place = ((predicted ^ ((turned & mask) | sign)) + d) & mask;
    return place ^ ((((place >> top) - 1) & mask) | sign);
}

ALWAYS_INLINE unsigned bit_length(uint64_t value) {
#if defined(__GNUC__) || defined(__clang__)
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
#else
    unsigned n = 0;
    while (value) { n++; value >>= 1; }
    return n;
#endif
}

ALWAYS_INLINE unsigned token_of(uint64_t z) {
    unsigned n = bit_length(z | EXACT_TOKENS), exact = 0 - (unsigned)(z < EXACT_TOKENS);
    unsigned told = EXACT_TOKENS + (n - 5) * 4 + (unsigned)((z >> (n - 2)) & 1) * 2 + (unsigned)(z & 1);
    return ((unsigned)z & exact) | (told & ~exact);
}

/* The same for words of at most 2 bytes, without a branch or a count of bits: compilers make vectors of it. As a
 * float, which is exact, a number shows its length and its second bit. */
ALWAYS_INLINE uint32_t token_of_short(uint32_t z) {
    float number = (float)(int32_t)z;
    uint32_t bits, exact = 0 - (uint32_t)(z < EXACT_TOKENS);
    memcpy(&bits, &number, 4);
    bits = EXACT_TOKENS + ((bits >> 22) - 2 * (126 + 5)) * 2 + (z & 1);
    return (z & exact) | (bits & ~exact);
}

/* Whether eight tokens stand for themselves: most do where a prediction is good. */
ALWAYS_INLINE int eight_exact(const uint8_t *tokens) {
    uint64_t eight;
    memcpy(&eight, tokens, 8);
    return !(eight & 0xf0f0f0f0f0f0f0f0u);
}

/* Whether most of a run's tokens do, in eights: else it is not worth to look for them. */
ALWAYS_INLINE int mostly_exact(const uint8_t *tokens, size_t count) {
    size_t exact = 0;
    for (size_t i = 0; i + 8 <= count; i += 8) exact += (size_t)eight_exact(tokens + i);
    return exact * 16 > count;
}

static unsigned raw_bits_of(unsigned token) { return token < EXACT_TOKENS ? 0 : 2 + ((token - EXACT_TOKENS) >> 2); }

static uint64_t first_of(unsigned token) {
    if (token < EXACT_TOKENS) return token;
    unsigned k = token - EXACT_TOKENS, n = 5 + (k >> 2);
    return (uint64_t)1 << (n - 1) | (uint64_t)((k >> 1) & 1) << (n - 2) | (k & 1);
}

static unsigned token_count(unsigned bytes) { return EXACT_TOKENS + (8 * bytes - 4) * 4; }

/* --- tables ------------------------------------------------------------------------------------------ */

typedef struct {
    unsigned contexts;
    uint32_t first_slot[MAX_KEYS]; /* of the context of each key */
    uint16_t frequency[MAX_CONTEXTS][MAX_TOKENS];
} tables_t;

/* Reads the tables; the number of bytes they take, or 0 where they are malformed. */
static size_t read_tables(const uint8_t *data, size_t size, unsigned tokens, unsigned keys, tables_t *tables) {
    size_t at = 1;
    unsigned contexts, previous = 0;
    if (size < 1) return 0;
    contexts = data[0];
    if (contexts < 1 || contexts > MAX_CONTEXTS || (size_t)(contexts - 1) * 2 > size - at) return 0;
    tables->contexts = contexts;
    for (unsigned key = 0; key < keys; key++) tables->first_slot[key] = 0;
    for (unsigned c = 1; c < contexts; c++, at += 2) {
        unsigned first = data[at] | (unsigned)data[at + 1] << 8;
        if (first <= previous || first >= keys) return 0;
        for (unsigned key = first; key < keys; key++) tables->first_slot[key] = c << SCALE_BITS;
        previous = first;
    }
    for (unsigned c = 0; c < contexts; c++) {
        const uint8_t *bitmap = data + at;
        uint16_t *frequency = tables->frequency[c];
        unsigned sum = 0, last = MAX_TOKENS;
        if (size - at < tokens / 8) return 0;
        at += tokens / 8;
        memset(frequency, 0, sizeof tables->frequency[c]);
        for (unsigned t = tokens; t-- > 0;)
            if (bitmap[t >> 3] >> (t & 7) & 1) { last = t; break; }
        if (last == MAX_TOKENS) return 0;
        for (unsigned t = 0; t < last; t++) {
            unsigned f;
            if (!(bitmap[t >> 3] >> (t & 7) & 1)) continue;
            if (at >= size) return 0;
            f = data[at++];
            if (f & 128) {
                if (at >= size) return 0;
                f = (f & 127) | (unsigned)data[at++] << 7;
                if (f < 128) return 0; /* one way to write a number */
            }
            if (f < 1 || f >= SCALE || (sum += f) >= SCALE) return 0;
            frequency[t] = (uint16_t)f;
        }
        frequency[last] = (uint16_t)(SCALE - sum);
    }
    return at;
}

/* One entry a slot: the token, its frequency less one, and the slot's place among the token's slots. */
static void fill_slots(const tables_t *tables, unsigned tokens, uint32_t *slots) {
    for (unsigned c = 0; c < tables->contexts; c++)
        for (unsigned t = 0; t < tokens; t++) {
            uint32_t f = tables->frequency[c][t];
            for (uint32_t i = 0; i < f; i++) *slots++ = t | (f - 1) << 8 | i << 19;
        }
}

/* --- tokens, decoded --------------------------------------------------------------------------------- */

typedef struct {
    const uint32_t *first_slot; /* by key; NULL where all words share one context */
    const uint32_t *slots;
    const uint8_t *predicted;
    unsigned bytes, shift, mask;
} decoding_t;

ALWAYS_INLINE uint32_t first_slot_at(const decoding_t *of, size_t i, unsigned keyed, unsigned bytes) {
    return keyed ? of->first_slot[load_word(of->predicted + i * bytes, bytes) >> of->shift & of->mask] : 0;
}

/* Decodes tokens from `i` to `count`; where the units end, or NULL where they run out. `keyed` and `bytes` are
 * constants where this is inlined. */
ALWAYS_INLINE const uint8_t *tokens_from(const decoding_t *of, unsigned keyed, unsigned bytes,
                                         uint32_t *restrict states, const uint8_t *units, const uint8_t *end,
                                         size_t i, size_t count, uint8_t *restrict out) {
    for (; i + LANES <= count && (size_t)(end - units) >= 2 * LANES; i += LANES)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 4
#endif
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint32_t x = states[lane], needed;
            uint32_t e = of->slots[first_slot_at(of, i + lane, keyed, bytes) | (x & (SCALE - 1))];
            out[i + lane] = (uint8_t)e;
            x = ((e >> 8 & (SCALE - 1)) + 1) * (x >> SCALE_BITS) + (e >> 19);
            needed = x < LOW_STATE; /* without a branch, which could not be foretold */
            states[lane] = x << (needed * 16) | ((uint32_t)load_word(units, 2) & (0 - needed));
            units += 2 * needed;
        }
    for (; i < count; i += LANES)
        for (unsigned lane = 0; lane < LANES && i + lane < count; lane++) {
            uint32_t x = states[lane];
            uint32_t e = of->slots[first_slot_at(of, i + lane, keyed, bytes) | (x & (SCALE - 1))];
            out[i + lane] = (uint8_t)e;
            x = ((e >> 8 & (SCALE - 1)) + 1) * (x >> SCALE_BITS) + (e >> 19);
            if (x < LOW_STATE) {
                if (units == end) return NULL;
                x = x << 16 | (uint32_t)load_word(units, 2);
                units += 2;
            }
            states[lane] = x;
        }
    return units;
}

static int vectors_there = 0, vectors_wanted = 0;

#if WITH_AVX2
static uint64_t unit_of_lane[256]; /* by mask of the lanes that take a unit: which of the next units, a byte a lane */
static uint64_t lane_of_unit[256]; /* by mask of the lanes that give a unit: these lanes at the end, a byte a unit */

/* Called once, before anything else: looks what this processor has. */
static void prepare_vectors(void) {
    for (unsigned mask = 0; mask < 256; mask++) {
        uint64_t units = 0, next = 0, lanes = 0;
        unsigned place = 8;
        for (unsigned lane = 0; lane < 8; lane++)
            if (mask >> lane & 1) units |= next++ << (8 * lane);
        for (unsigned lane = 8; lane-- > 0;)
            if (mask >> lane & 1) lanes |= (uint64_t)lane << (8 * --place);
        unit_of_lane[mask] = units;
        lane_of_unit[mask] = lanes;
    }
    vectors_there = vectors_wanted = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

AVX2 ALWAYS_INLINE __m256i eight_words(const uint8_t *at, unsigned bytes) {
    if (bytes == 1) return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at));
    if (bytes == 2) return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)at));
    return _mm256_loadu_si256((const __m256i *)at);
}

/* The same as the first loop of tokens_from, eight lanes at a time; words of 8 bytes are left to that one. Tables
 * are looked up one by one: gathering is slow on many processors, and needs care on none. */
AVX2 ALWAYS_INLINE const uint8_t *tokens_by_eight(const decoding_t *of, unsigned keyed, unsigned bytes,
                                                  uint32_t *states, const uint8_t *units, const uint8_t *end,
                                                  size_t *done, size_t count, uint8_t *out) {
    const __m256i low = _mm256_set1_epi32(SCALE - 1), one = _mm256_set1_epi32(1);
    const __m256i key_mask = _mm256_set1_epi32((int)of->mask), zero = _mm256_setzero_si256();
    const __m128i shift = _mm_cvtsi32_si128((int)of->shift);
    __m256i x[4], e[4];
    uint32_t slot[LANES], first[LANES];
    size_t i = *done;
    for (unsigned v = 0; v < 4; v++) x[v] = _mm256_loadu_si256((const __m256i *)(states + 8 * v));
    for (; i + LANES <= count && (size_t)(end - units) >= 2 * LANES; i += LANES) {
        for (unsigned v = 0; v < 4; v++) {
            _mm256_storeu_si256((__m256i *)(slot + 8 * v), _mm256_and_si256(x[v], low));
            if (keyed) {
                __m256i key = eight_words(of->predicted + (i + 8 * v) * bytes, bytes);
                key = _mm256_and_si256(_mm256_srl_epi32(key, shift), key_mask);
                _mm256_storeu_si256((__m256i *)(first + 8 * v), key);
            }
        }
        for (unsigned v = 0; v < 4; v++) {
            __m256i frequency;
#define ENTRY(lane) (int)of->slots[(keyed ? of->first_slot[first[8 * v + lane]] : 0) + slot[8 * v + lane]]
            e[v] = _mm256_setr_epi32(ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7));
#undef ENTRY
            frequency = _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(e[v], 8), low), one);
            x[v] = _mm256_add_epi32(_mm256_mullo_epi32(frequency, _mm256_srli_epi32(x[v], SCALE_BITS)),
                                    _mm256_srli_epi32(e[v], 19));
            e[v] = _mm256_and_si256(e[v], _mm256_set1_epi32(255));
        }
        for (unsigned v = 0; v < 4; v++) {
            __m256i needed = _mm256_cmpeq_epi32(_mm256_srli_epi32(x[v], 16), zero), more;
            unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(needed));
            more = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)units));
            more = _mm256_permutevar8x32_epi32(
                more, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)unit_of_lane[mask])));
            x[v] = _mm256_blendv_epi8(x[v], _mm256_or_si256(_mm256_slli_epi32(x[v], 16), more), needed);
            units += 2 * (unsigned)_mm_popcnt_u32(mask);
        }
        e[0] = _mm256_packus_epi16(_mm256_packus_epi32(e[0], e[1]), _mm256_packus_epi32(e[2], e[3]));
        e[0] = _mm256_permutevar8x32_epi32(e[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256((__m256i *)(out + i), e[0]);
    }
    for (unsigned v = 0; v < 4; v++) _mm256_storeu_si256((__m256i *)(states + 8 * v), x[v]);
    *done = i;
    return units;
}

AVX2 static const uint8_t *tokens_avx2(const decoding_t *of, uint32_t *states, const uint8_t *units,
                                       const uint8_t *end, size_t *done, size_t count, uint8_t *out) {
    if (!of->first_slot) return tokens_by_eight(of, 0, 1, states, units, end, done, count, out);
    if (of->bytes == 1) return tokens_by_eight(of, 1, 1, states, units, end, done, count, out);
    if (of->bytes == 2) return tokens_by_eight(of, 1, 2, states, units, end, done, count, out);
    if (of->bytes == 4) return tokens_by_eight(of, 1, 4, states, units, end, done, count, out);
    return units;
}
#else
static void prepare_vectors(void) {}
#endif

/* Decodes a stream of tokens after its tables; the bytes it takes, or 0 where it is malformed. */
static size_t decode_tokens(const uint8_t *data, size_t size, const tables_t *tables, const uint32_t *slots,
                                 const uint8_t *predicted, const words_t *words, size_t count, uint8_t *out) {
    decoding_t of = {NULL, slots, predicted, 1, 0, 0};
    uint32_t states[LANES];
    uint64_t units;
    const uint8_t *end;
    size_t done = 0;
    if (words) {
        of.bytes = words->bytes;
        of.shift = words->key_shift;
        of.mask = words->key_mask;
        if (tables->contexts > 1) of.first_slot = tables->first_slot;
    }
    if (size < BODY_HEAD) return 0;
    units = load_word(data, 4);
    if (units > (size - BODY_HEAD) / 2) return 0;
    for (unsigned lane = 0; lane < LANES; lane++) {
        states[lane] = (uint32_t)load_word(data + 4 + 4 * lane, 4);
        if (states[lane] < LOW_STATE) return 0;
    }
    data += BODY_HEAD;
    end = data + 2 * units;
#if WITH_AVX2
    if (vectors_wanted) data = tokens_avx2(&of, states, data, end, &done, count, out);
#endif
#define RUN(keyed, bytes) tokens_from(&of, keyed, bytes, states, data, end, done, count, out)
    if (!of.first_slot) data = RUN(0, 1);
    else if (of.bytes == 1) data = RUN(1, 1);
    else if (of.bytes == 2) data = RUN(1, 2);
    else if (of.bytes == 4) data = RUN(1, 4);
    else data = RUN(1, 8);
#undef RUN
    if (data != end) return 0;
    for (unsigned lane = 0; lane < LANES; lane++)
        if (states[lane] != LOW_STATE) return 0;
    return BODY_HEAD + 2 * (size_t)units;
}

/* --- raw bits ---------------------------------------------------------------------------------------- */

/* Up to 32 bits from anywhere; what lies beyond the end is zero. */
ALWAYS_INLINE uint64_t bits_at(const uint8_t *data, size_t size, uint64_t position, uint64_t mask) {
    size_t at = (size_t)(position >> 3);
    uint64_t window = 0;
    if (!UNLIKELY(at + 8 > size)) window = load_word(data + at, 8);
    else for (unsigned i = 0; at + i < size && i < 8; i++) window |= (uint64_t)data[at + i] << (8 * i);
    return window >> (position & 7) & mask;
}

#define RUN_WORDS 512 /* words whose folded differences are kept before they are added */

/* Up to RUN_WORDS folded differences. */
typedef union {
    uint64_t wide[RUN_WORDS];
    uint32_t narrow[RUN_WORDS];
} folded_t;

ALWAYS_INLINE void unfold(const folded_t *folded, const uint8_t *predicted, uint8_t *restrict out, size_t count,
                          unsigned bytes, unsigned is_float) {
    for (size_t i = 0; i < count; i++) {
        uint64_t p = load_word(predicted + i * bytes, bytes);
        if (bytes == 8) store_word(out + i * bytes, bytes, restored(folded->wide[i], p, bytes, is_float));
        else store_word(out + i * bytes, bytes, restored_short(folded->narrow[i], (uint32_t)p, bytes, is_float));
    }
}

/* Fills `out` from word `done` on, whose raw bits begin at `position`; where they end, which may be beyond `raw`. */
ALWAYS_INLINE uint64_t words_from(const uint8_t *tokens, const uint8_t *raw, size_t raw_size, const uint8_t *predicted,
                                  uint8_t *out, size_t done, size_t count, uint64_t position, unsigned bytes,
                                  unsigned is_float) {
    struct { uint64_t first, mask; uint64_t length; } of[MAX_TOKENS];
    folded_t folded;
    for (unsigned t = 0; t < MAX_TOKENS; t++) {
        unsigned n = raw_bits_of(t);
        of[t].first = first_of(t);
        of[t].length = n;
        of[t].mask = ((uint64_t)1 << (n > 32 ? 32 : n)) - 1;
    }
    for (size_t start = done; start < count; start += RUN_WORDS) {
        size_t some = count - start < RUN_WORDS ? count - start : RUN_WORDS;
        for (size_t i = 0; i < some; i++) {
            unsigned t = tokens[start + i];
            uint64_t n = of[t].length, z = of[t].first | bits_at(raw, raw_size, position, of[t].mask) << 1;
            if (bytes == 8 && n > 32)
                z |= bits_at(raw, raw_size, position + 32, ((uint64_t)1 << (n - 32)) - 1) << 33;
            if (bytes == 8) folded.wide[i] = z;
            else folded.narrow[i] = (uint32_t)z;
            position += n;
        }
        unfold(&folded, predicted + start * bytes, out + start * bytes, some, bytes, is_float);
    }
    return position;
}

#if WITH_AVX2
/* From this token on, the raw bits of two words may be more than are read at once. */
#define LONG_TOKEN (EXACT_TOKENS + 27 * 4)
#define EIGHT_WORDS_BYTES 40 /* within so many bytes are the raw bits of eight words that are no longer */

/* How many raw bits each of eight tokens comes with. */
AVX2 ALWAYS_INLINE __m256i raw_bits_of_eight(__m256i token) {
    __m256i exact = _mm256_cmpgt_epi32(_mm256_set1_epi32(EXACT_TOKENS), token);
    return _mm256_andnot_si256(exact, _mm256_sub_epi32(_mm256_srli_epi32(token, 2), _mm256_set1_epi32(2)));
}

AVX2 ALWAYS_INLINE int any_long(__m256i token) {
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(token, _mm256_set1_epi32(LONG_TOKEN - 1)));
}

/* Folded differences of eight words whose raw bits begin at `position`, EIGHT_WORDS_BYTES before the end at least. Of
 * words of two bytes the raw bits of four are read at once, of longer ones those of two. */
AVX2 ALWAYS_INLINE __m256i eight_folded(__m256i token, const uint8_t *raw, uint64_t *position, unsigned bytes) {
    const __m256i one = _mm256_set1_epi32(1), two = _mm256_set1_epi32(2);
    __m256i exact = _mm256_cmpgt_epi32(_mm256_set1_epi32(EXACT_TOKENS), token), length = raw_bits_of_eight(token);
    __m256i second = _mm256_or_si256(two, _mm256_and_si256(_mm256_srli_epi32(token, 1), one));
    __m256i first = _mm256_or_si256(_mm256_sllv_epi32(second, _mm256_add_epi32(length, one)), _mm256_and_si256(token, one));
    __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, length), one);
    __m256i pair = _mm256_sad_epu8(length, _mm256_setzero_si256()), bits, odd;
    uint64_t at = *position, p[4];
    p[0] = (uint64_t)_mm256_extract_epi64(pair, 0);
    p[1] = (uint64_t)_mm256_extract_epi64(pair, 1);
    p[2] = (uint64_t)_mm256_extract_epi64(pair, 2);
    p[3] = (uint64_t)_mm256_extract_epi64(pair, 3);
    if (bytes == 2) {
        uint64_t low = load_word(raw + (at >> 3), 8) >> (at & 7), high;
        at += p[0] + p[1];
        high = load_word(raw + (at >> 3), 8) >> (at & 7);
        at += p[2] + p[3];
        bits = _mm256_setr_epi64x((long long)low, (long long)low, (long long)high, (long long)high);
        bits = _mm256_srlv_epi64(bits, _mm256_slli_si256(pair, 8));
    } else {
        uint64_t of[4];
        for (unsigned i = 0; i < 4; i++) {
            of[i] = load_word(raw + (at >> 3), 8) >> (at & 7);
            at += p[i];
        }
        bits = _mm256_setr_epi64x((long long)of[0], (long long)of[1], (long long)of[2], (long long)of[3]);
    }
    *position = at;
    odd = _mm256_srlv_epi64(bits, _mm256_and_si256(length, _mm256_set1_epi64x(0xffffffff)));
    bits = _mm256_and_si256(_mm256_blend_epi32(bits, _mm256_slli_epi64(odd, 32), 0xaa), mask);
    return _mm256_blendv_epi8(_mm256_or_si256(first, _mm256_slli_epi32(bits, 1)), token, exact);
}

/* The same as words_from, eight words at a time, for words of two and four bytes: how many words are done. */
AVX2 ALWAYS_INLINE size_t words_by_eight(const uint8_t *tokens, const uint8_t *raw, size_t raw_size,
                                         const uint8_t *predicted, uint8_t *out, size_t count, uint64_t *position,
                                         unsigned bytes, unsigned is_float) {
    folded_t folded;
    size_t start = 0, some;
    for (; start + 8 <= count; start += some) {
        int sparse;
        some = count - start < RUN_WORDS ? (count - start) & ~(size_t)7 : RUN_WORDS;
        sparse = mostly_exact(tokens + start, some);
        for (size_t i = 0; i < some; i += 8) {
            __m256i token = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(tokens + start + i)));
            if (!(sparse && eight_exact(tokens + start + i))) {
                if (UNLIKELY((*position >> 3) + EIGHT_WORDS_BYTES > raw_size || (bytes > 2 && any_long(token)))) {
                    for (size_t j = i; j < i + 8; j++) {
                        unsigned t = tokens[start + j], n = raw_bits_of(t);
                        uint64_t bits = bits_at(raw, raw_size, *position, ((uint64_t)1 << n) - 1);
                        folded.narrow[j] = (uint32_t)(first_of(t) | bits << 1);
                        *position += n;
                    }
                    continue;
                }
                token = eight_folded(token, raw, position, bytes);
            }
            _mm256_storeu_si256((__m256i *)(folded.narrow + i), token);
        }
        unfold(&folded, predicted + start * bytes, out + start * bytes, some, bytes, is_float);
    }
    return start;
}
#endif

#define BY_WORDS(RUN)                                                                                    \
    do {                                                                                                 \
        if (words->is_float) {                                                                           \
            if (words->bytes == 1) RUN(1, 1);                                                            \
            else if (words->bytes == 2) RUN(2, 1);                                                       \
            else if (words->bytes == 4) RUN(4, 1);                                                       \
            else RUN(8, 1);                                                                              \
        } else {                                                                                         \
            if (words->bytes == 1) RUN(1, 0);                                                            \
            else if (words->bytes == 2) RUN(2, 0);                                                       \
            else if (words->bytes == 4) RUN(4, 0);                                                       \
            else RUN(8, 0);                                                                              \
        }                                                                                                \
    } while (0)

#if WITH_AVX2
AVX2 static uint64_t words_avx2(const uint8_t *tokens, const uint8_t *raw, size_t raw_size, const uint8_t *predicted,
                                const words_t *words, size_t count, uint8_t *out) {
    uint64_t position = 0;
    size_t done = 0;
#define RUN(bytes, is_float)                                                                             \
    do {                                                                                                 \
        if (bytes == 2 || bytes == 4)                                                                    \
            done = words_by_eight(tokens, raw, raw_size, predicted, out, count, &position, bytes, is_float); \
        position = words_from(tokens, raw, raw_size, predicted, out, done, count, position, bytes, is_float); \
    } while (0)
    BY_WORDS(RUN);
#undef RUN
    return position;
}
#endif

/* Fills `out`; how many raw bits that took, which may be more than there are. */
static uint64_t all_words_from(const uint8_t *tokens, const uint8_t *raw, size_t raw_size, const uint8_t *predicted,
                               const words_t *words, size_t count, uint8_t *out) {
    uint64_t position = 0;
#if WITH_AVX2
    if (vectors_wanted) return words_avx2(tokens, raw, raw_size, predicted, words, count, out);
#endif
#define RUN(bytes, is_float)                                                                             \
    position = words_from(tokens, raw, raw_size, predicted, out, 0, count, 0, bytes, is_float)
    BY_WORDS(RUN);
#undef RUN
    return position;
}

/* A payload of residuals, decoded into `out`. 0, or -1 where it is malformed. */
static int decode_residual(const uint8_t *data, size_t size, const uint8_t *predicted, const words_t *words,
                           size_t count, uint8_t *tokens, tables_t *tables, uint32_t *slots, uint8_t *out) {
    unsigned kinds = token_count(words->bytes);
    uint64_t raw_bits;
    size_t used = read_tables(data, size, kinds, words->key_mask + 1, tables), body;
    if (!used) return -1;
    fill_slots(tables, kinds, slots);
    body = decode_tokens(data + used, size - used, tables, slots, predicted, words, count, tokens);
    if (!body) return -1;
    used += body;
    data += used;
    size -= used;
    raw_bits = all_words_from(tokens, data, size, predicted, words, count, out);
    if ((raw_bits + 7) / 8 != size) return -1;
    if (raw_bits & 7 && data[size - 1] >> (raw_bits & 7)) return -1; /* the bits beyond are zero */
    return 0;
}

/* --- tokens, encoded --------------------------------------------------------------------------------- */

/* A symbol: ceil(2^32 / frequency), frequency (12 bits) and where its slots begin (12 bits), from the lowest bit on.
 * With a frequency of 1 the reciprocal has no room: it gives one less than it should, which the begin makes good. */
typedef uint64_t symbol_t;

static void fill_symbols(const tables_t *tables, unsigned tokens, symbol_t *symbols) {
    for (unsigned c = 0; c < tables->contexts; c++) {
        uint32_t start = 0;
        for (unsigned t = 0; t < tokens; t++) {
            uint64_t f = tables->frequency[c][t], reciprocal = 0;
            if (f == 1) reciprocal = 0xffffffffu;
            else if (f) reciprocal = (((uint64_t)1 << 32) + f - 1) / f;
            symbols[(size_t)c * MAX_TOKENS + t] =
                reciprocal | f << 32 | (uint64_t)(f == 1 ? start + SCALE - 1 : start) << 44;
            start += (uint32_t)f;
        }
    }
}

/* Writes units backwards from `at` on for the tokens from `count` down to `first`; where the first unit is, or NULL
 * for a token that has no frequency. */
ALWAYS_INLINE uint8_t *units_of(const uint8_t *tokens, size_t first, size_t count, const uint32_t *first_slot,
                                const symbol_t *symbols, const uint8_t *predicted, unsigned keyed, unsigned bytes,
                                unsigned shift, unsigned mask, uint32_t *restrict states, uint8_t *restrict at) {
    for (size_t i = count; i-- > first;) {
        size_t context = keyed ? first_slot[load_word(predicted + i * bytes, bytes) >> shift & mask] >> SCALE_BITS : 0;
        symbol_t symbol = symbols[context * MAX_TOKENS + tokens[i]];
        uint32_t f = (uint32_t)(symbol >> 32) & 4095, x = states[i % LANES], full, q, rest, below;
        if (UNLIKELY(f == 0)) return NULL;
        full = (x >> (32 - SCALE_BITS)) >= f; /* without a branch, which could not be foretold */
        store_word(at - 2, 2, x);
        at -= 2 * full;
        x >>= 16 * full;
        /* x is less than f << 21, so the quotient is one too large at most. */
        q = (uint32_t)((uint64_t)x * (uint32_t)symbol >> 32);
        rest = x - q * f;
        below = 0 - (rest >> 31);
        states[i % LANES] = ((q + below) << SCALE_BITS) + rest + (f & below) + (uint32_t)(symbol >> 44);
    }
    return at;
}

#if WITH_AVX2
#define LOOKED_UP 512 /* symbols that are looked up before they are needed */

/* The same as units_of from `count`, a multiple of LANES, down to 0, eight lanes at a time. Up to 16 bytes before
 * the first unit are written to as well, which `room` has. Symbols are looked up for many words at once: what was
 * just stored by eight bytes would have to be waited for where it is loaded by more. */
AVX2 ALWAYS_INLINE uint8_t *units_by_eight(const uint8_t *tokens, size_t count, const uint32_t *first_slot,
                                           const symbol_t *symbols, const uint8_t *predicted, unsigned keyed,
                                           unsigned bytes, unsigned shift, unsigned mask, uint32_t *states,
                                           uint8_t *at) {
    const __m256i twelve = _mm256_set1_epi32(4095), zero = _mm256_setzero_si256();
    __m256i x[4], unknown = zero;
    symbol_t symbol[LOOKED_UP];
    for (unsigned v = 0; v < 4; v++) x[v] = _mm256_loadu_si256((const __m256i *)(states + 8 * v));
    for (size_t end = count, i = count; i > 0;) {
        if (i == end) {
            size_t some = end % LOOKED_UP ? end % LOOKED_UP : LOOKED_UP;
            end -= some;
            for (size_t j = 0; j < some; j++) {
                size_t key = keyed ? load_word(predicted + (end + j) * bytes, bytes) >> shift & mask : 0;
                symbol[j] = symbols[(keyed ? first_slot[key] / (SCALE / MAX_TOKENS) : 0) + tokens[end + j]];
            }
        }
        i -= LANES;
        for (unsigned v = 4; v-- > 0;) {
            __m256 low = _mm256_loadu_ps((const float *)(symbol + (i - end) + 8 * v));
            __m256 high = _mm256_loadu_ps((const float *)(symbol + (i - end) + 8 * v + 4));
            __m256i reciprocal = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
            __m256i rest_of = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
            __m256i f, full, q, odd, rest, below, units;
            unsigned giving;
            reciprocal = _mm256_permute4x64_epi64(reciprocal, 0xd8);
            rest_of = _mm256_permute4x64_epi64(rest_of, 0xd8);
            f = _mm256_and_si256(rest_of, twelve);
            unknown = _mm256_or_si256(unknown, _mm256_cmpeq_epi32(f, zero));
            full = _mm256_cmpgt_epi32(f, _mm256_srli_epi32(x[v], 32 - SCALE_BITS)); /* the reverse of it */
            giving = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(full)) & 255;
            units = _mm256_permutevar8x32_epi32(
                x[v], _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)lane_of_unit[giving])));
            units = _mm256_and_si256(units, _mm256_set1_epi32(0xffff));
            units = _mm256_permute4x64_epi64(_mm256_packus_epi32(units, units), 0xd8);
            _mm_storeu_si128((__m128i *)(at - 16), _mm256_castsi256_si128(units));
            at -= 2 * (unsigned)_mm_popcnt_u32(giving);
            x[v] = _mm256_blendv_epi8(_mm256_srli_epi32(x[v], 16), x[v], full);
            q = _mm256_srli_epi64(_mm256_mul_epu32(x[v], reciprocal), 32);
            odd = _mm256_mul_epu32(_mm256_srli_epi64(x[v], 32), _mm256_srli_epi64(reciprocal, 32));
            q = _mm256_blend_epi32(q, odd, 0xaa);
            rest = _mm256_sub_epi32(x[v], _mm256_mullo_epi32(q, f));
            below = _mm256_srai_epi32(rest, 31);
            rest = _mm256_add_epi32(rest, _mm256_and_si256(f, below));
            q = _mm256_slli_epi32(_mm256_add_epi32(q, below), SCALE_BITS);
            x[v] = _mm256_add_epi32(_mm256_add_epi32(q, rest), _mm256_srli_epi32(rest_of, 12));
        }
    }
    for (unsigned v = 0; v < 4; v++) _mm256_storeu_si256((__m256i *)(states + 8 * v), x[v]);
    return _mm256_testz_si256(unknown, unknown) ? at : NULL;
}

AVX2 static uint8_t *units_avx2(const uint8_t *tokens, size_t count, const tables_t *tables, const symbol_t *symbols,
                                const uint8_t *predicted, const words_t *words, uint32_t *states, uint8_t *at) {
#define RUN(keyed, bytes)                                                                                \
    units_by_eight(tokens, count, tables->first_slot, symbols, predicted, keyed, bytes, keyed ? words->key_shift : 0, \
                   keyed ? words->key_mask : 0, states, at)
    if (tables->contexts == 1) return RUN(0, 1);
    if (words->bytes == 1) return RUN(1, 1);
    return words->bytes == 2 ? RUN(1, 2) : RUN(1, 4);
#undef RUN
}
#endif

/* Writes the stream of tokens to the end of `room`, which holds BODY_HEAD + 2 * count bytes; where it begins, or
 * NULL for a token that has no frequency. */
static uint8_t *encode_tokens(const uint8_t *tokens, size_t count, const tables_t *tables, const symbol_t *symbols,
                              const uint8_t *predicted, const words_t *words, uint8_t *room) {
    uint32_t states[LANES];
    uint8_t *end = room + BODY_HEAD + 2 * count, *at;
    size_t first = 0; /* from here on one by one, before that eight at a time */
    for (unsigned lane = 0; lane < LANES; lane++) states[lane] = LOW_STATE;
#if WITH_AVX2
    if (vectors_wanted && (tables->contexts == 1 || words->bytes < 8)) first = count - count % LANES;
#endif
#define RUN(keyed, bytes)                                                                                \
    units_of(tokens, first, count, tables->first_slot, symbols, predicted, keyed, bytes,                 \
             keyed ? words->key_shift : 0, keyed ? words->key_mask : 0, states, end)
    if (tables->contexts == 1) at = RUN(0, 1);
    else if (words->bytes == 1) at = RUN(1, 1);
    else if (words->bytes == 2) at = RUN(1, 2);
    else if (words->bytes == 4) at = RUN(1, 4);
    else at = RUN(1, 8);
#undef RUN
#if WITH_AVX2
    if (at && first) at = units_avx2(tokens, first, tables, symbols, predicted, words, states, at);
#endif
    if (!at) return NULL;
    uint64_t units = (uint64_t)(end - at) / 2;
    at -= BODY_HEAD;
    store_word(at, 4, units);
    for (unsigned lane = 0; lane < LANES; lane++) store_word(at + 4 + 4 * lane, 4, states[lane]);
    return at;
}

ALWAYS_INLINE void fold(const uint8_t *plain, const uint8_t *predicted, size_t count, folded_t *folded,
                        unsigned bytes, unsigned is_float) {
    for (size_t i = 0; i < count; i++) {
        uint64_t w = load_word(plain + i * bytes, bytes), p = load_word(predicted + i * bytes, bytes);
        if (bytes == 8) folded->wide[i] = residual(w, p, bytes, is_float);
        else folded->narrow[i] = residual_short((uint32_t)w, (uint32_t)p, bytes, is_float);
    }
}

/* Raw bits that are written: those that do not make a byte yet are kept. */
typedef struct {
    uint8_t *out;
    uint64_t window;
    unsigned filled; /* below 8 between words */
} packing_t;

/* Up to 57 bits; 8 bytes are written. */
ALWAYS_INLINE void pack_bits(packing_t *packing, uint64_t bits, unsigned count) {
    packing->window |= bits << packing->filled;
    packing->filled += count;
    store_word(packing->out, 8, packing->window);
    packing->out += packing->filled >> 3;
    packing->window >>= packing->filled & 56;
    packing->filled &= 7;
}

/* Packs the raw bits of words from `done` on; there are 8 spare bytes behind them. */
ALWAYS_INLINE void pack_words(const uint8_t *tokens, const uint8_t *plain, const uint8_t *predicted, size_t done,
                              size_t count, packing_t *packing, unsigned bytes, unsigned is_float) {
    folded_t folded;
    for (size_t start = done; start < count; start += RUN_WORDS) {
        size_t some = count - start < RUN_WORDS ? count - start : RUN_WORDS;
        fold(plain + start * bytes, predicted + start * bytes, some, &folded, bytes, is_float);
        for (size_t i = 0; i < some; i++) {
            unsigned n = raw_bits_of(tokens[start + i]);
            uint64_t z = (bytes == 8 ? folded.wide[i] : folded.narrow[i]) >> 1;
            for (; n > 32; n -= 32, z >>= 32) pack_bits(packing, z & 0xffffffff, 32);
            pack_bits(packing, z & (((uint64_t)1 << n) - 1), n);
        }
    }
}

#if WITH_AVX2
/* The same, eight words at a time, for words of two and four bytes: how many words are done. */
AVX2 ALWAYS_INLINE size_t pack_by_eight(const uint8_t *tokens, const uint8_t *plain, const uint8_t *predicted,
                                        size_t count, packing_t *into, unsigned bytes, unsigned is_float) {
    const __m256i one = _mm256_set1_epi32(1);
    packing_t packing = *into;
    folded_t folded;
    size_t start = 0, some;
    for (; start + 8 <= count; start += some) {
        int sparse;
        some = count - start < RUN_WORDS ? (count - start) & ~(size_t)7 : RUN_WORDS;
        sparse = mostly_exact(tokens + start, some);
        if (!sparse) fold(plain + start * bytes, predicted + start * bytes, some, &folded, bytes, is_float);
        for (size_t i = 0; i < some; i += 8) {
            const uint8_t *eight = tokens + start + i;
            __m256i length, bits, pair, odd;
            uint64_t p[4], of[4];
            if (sparse) {
                if (eight_exact(eight)) continue;
                fold(plain + (start + i) * bytes, predicted + (start + i) * bytes, 8, &folded, bytes, is_float);
            }
            bits = _mm256_loadu_si256((const __m256i *)(folded.narrow + (sparse ? 0 : i)));
            length = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)eight));
            if (bytes > 2 && UNLIKELY(any_long(length))) {
                for (size_t j = 0; j < 8; j++) {
                    unsigned n = raw_bits_of(eight[j]);
                    pack_bits(&packing, folded.narrow[(sparse ? 0 : i) + j] >> 1 & (((uint32_t)1 << n) - 1), n);
                }
                continue;
            }
            length = raw_bits_of_eight(length);
            bits = _mm256_and_si256(_mm256_srli_epi32(bits, 1),
                                    _mm256_sub_epi32(_mm256_sllv_epi32(one, length), one));
            odd = _mm256_sllv_epi64(_mm256_srli_epi64(bits, 32),
                                    _mm256_and_si256(length, _mm256_set1_epi64x(0xffffffff)));
            bits = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi64x(0xffffffff)), odd);
            pair = _mm256_sad_epu8(length, _mm256_setzero_si256());
            if (bytes == 2) {
                odd = _mm256_sllv_epi64(bits, _mm256_slli_si256(pair, 8));
                bits = _mm256_or_si256(odd, _mm256_srli_si256(odd, 8));
                pair = _mm256_add_epi64(pair, _mm256_srli_si256(pair, 8));
                pack_bits(&packing, (uint64_t)_mm256_extract_epi64(bits, 0), (unsigned)_mm256_extract_epi64(pair, 0));
                pack_bits(&packing, (uint64_t)_mm256_extract_epi64(bits, 2), (unsigned)_mm256_extract_epi64(pair, 2));
                continue;
            }
            _mm256_storeu_si256((__m256i *)of, bits);
            _mm256_storeu_si256((__m256i *)p, pair);
            for (unsigned j = 0; j < 4; j++) pack_bits(&packing, of[j], (unsigned)p[j]);
        }
    }
    *into = packing;
    return start;
}
#endif

#define SHORT_PLACES (256 * 64) /* keys times tokens, of words of at most 2 bytes */

/* Counts tokens by key, and keeps them. Of short words every second one is counted apart: where the same comes again
 * and again, a counter would wait for itself. */
ALWAYS_INLINE void analyse_short(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                                 uint8_t *restrict tokens, uint32_t *restrict counts, unsigned bytes,
                                 unsigned is_float) {
    const uint32_t kinds = token_count(bytes), shift = words->key_shift, mask = words->key_mask;
    const size_t places = (size_t)(mask + 1) * kinds;
    uint16_t apart[SHORT_PLACES], place[RUN_WORDS];
    folded_t folded;
    memset(apart, 0, places * sizeof *apart);
    for (size_t start = 0; start < count; start += RUN_WORDS) {
        size_t some = count - start < RUN_WORDS ? count - start : RUN_WORDS, i = 0;
        const uint8_t *from = predicted + start * bytes;
        fold(plain + start * bytes, from, some, &folded, bytes, is_float);
        for (i = 0; i < some; i++) {
            uint32_t token = token_of_short(folded.narrow[i]);
            uint32_t key = (uint32_t)load_word(from + i * bytes, bytes) >> shift & mask;
            tokens[start + i] = (uint8_t)token;
            place[i] = (uint16_t)(key * kinds + token);
        }
        for (i = 0; i + 2 <= some; i += 2) {
            counts[place[i]]++;
            apart[place[i + 1]]++;
        }
        if (i < some) counts[place[i]]++;
        /* 2^15 words at most were counted apart since then. */
        if ((start / RUN_WORDS & 127) == 127 || start + some == count)
            for (size_t p = 0; p < places; p++) {
                counts[p] += apart[p];
                apart[p] = 0;
            }
    }
}

ALWAYS_INLINE void analyse_words(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                                 uint8_t *restrict tokens, uint32_t *restrict counts, unsigned bytes,
                                 unsigned is_float) {
    const unsigned kinds = token_count(bytes), shift = words->key_shift, mask = words->key_mask;
    folded_t folded;
    if (bytes <= 2) {
        analyse_short(plain, predicted, words, count, tokens, counts, bytes, is_float);
        return;
    }
    for (size_t start = 0; start < count; start += RUN_WORDS) {
        size_t some = count - start < RUN_WORDS ? count - start : RUN_WORDS;
        const uint8_t *from = predicted + start * bytes;
        fold(plain + start * bytes, from, some, &folded, bytes, is_float);
        for (size_t i = 0; i < some; i++) {
            unsigned token = token_of(bytes == 8 ? folded.wide[i] : folded.narrow[i]);
            tokens[start + i] = (uint8_t)token;
            counts[(size_t)(load_word(from + i * bytes, bytes) >> shift & mask) * kinds + token]++;
        }
    }
}

/* Fills `out` with how far words are from predicted ones, as words of the same size. */
ALWAYS_INLINE void fold_all(const uint8_t *plain, const uint8_t *predicted, size_t count, uint8_t *restrict out,
                            unsigned bytes, unsigned is_float) {
    for (size_t i = 0; i < count; i++) {
        uint64_t w = load_word(plain + i * bytes, bytes), p = load_word(predicted + i * bytes, bytes);
        store_word(out + i * bytes, bytes,
                   bytes == 8 ? residual(w, p, bytes, is_float)
                              : residual_short((uint32_t)w, (uint32_t)p, bytes, is_float));
    }
}

ALWAYS_INLINE void unfold_all(const uint8_t *folded, const uint8_t *predicted, size_t count, uint8_t *restrict out,
                              unsigned bytes, unsigned is_float) {
    for (size_t i = 0; i < count; i++) {
        uint64_t z = load_word(folded + i * bytes, bytes), p = load_word(predicted + i * bytes, bytes);
        store_word(out + i * bytes, bytes,
                   bytes == 8 ? restored(z, p, bytes, is_float)
                              : restored_short((uint32_t)z, (uint32_t)p, bytes, is_float));
    }
}

/* How many raw bits so many tokens come with; ~0 where one of them is none of the `kinds`. */
static uint64_t raw_bits_in(const uint8_t *tokens, size_t count, unsigned kinds) {
    uint64_t bits = 0;
    uint8_t largest = 0;
    for (size_t start = 0; start < count; start += RUN_WORDS) {
        size_t some = count - start < RUN_WORDS ? count - start : RUN_WORDS;
        uint32_t sum = 0;
        for (size_t i = start; i < start + some; i++) {
            /* As in raw_bits_of, without a branch. */
            uint8_t t = tokens[i];
            sum += (uint8_t)(((t >> 2) - (EXACT_TOKENS / 4 - 2)) & (0 - (t >= EXACT_TOKENS)));
            largest = t > largest ? t : largest;
        }
        bits += sum;
    }
    return largest >= kinds ? ~(uint64_t)0 : bits;
}

#define ANALYSE(bytes, is_float) analyse_words(plain, predicted, words, count, tokens, counts, bytes, is_float)

#if WITH_AVX2
AVX2 static void pack_avx2(const uint8_t *tokens, const uint8_t *plain, const uint8_t *predicted,
                           const words_t *words, size_t count, packing_t *packing) {
    size_t done = 0;
#define RUN(bytes, is_float)                                                                             \
    do {                                                                                                 \
        if (bytes == 2 || bytes == 4)                                                                    \
            done = pack_by_eight(tokens, plain, predicted, count, packing, bytes, is_float);             \
        pack_words(tokens, plain, predicted, done, count, packing, bytes, is_float);                     \
    } while (0)
    BY_WORDS(RUN);
#undef RUN
}

AVX2 static void analyse_avx2(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                              uint8_t *tokens, uint32_t *counts) {
    BY_WORDS(ANALYSE);
}
#endif

/* Packs the raw bits of all words; `out` has 8 spare bytes. */
static void pack_raw(const uint8_t *tokens, const uint8_t *plain, const uint8_t *predicted, const words_t *words,
                     size_t count, uint8_t *out) {
    packing_t packing = {out, 0, 0};
#if WITH_AVX2
    if (vectors_wanted) {
        pack_avx2(tokens, plain, predicted, words, count, &packing);
        return;
    }
#endif
#define RUN(bytes, is_float) pack_words(tokens, plain, predicted, 0, count, &packing, bytes, is_float)
    BY_WORDS(RUN);
#undef RUN
}

static void analyse(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                    uint8_t *tokens, uint32_t *counts) {
#if WITH_AVX2
    if (vectors_wanted) {
        analyse_avx2(plain, predicted, words, count, tokens, counts);
        return;
    }
#endif
    BY_WORDS(ANALYSE);
}

static void fold_words(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                       uint8_t *out) {
#define FOLD(bytes, is_float) fold_all(plain, predicted, count, out, bytes, is_float)
    BY_WORDS(FOLD);
#undef FOLD
}

static void unfold_words(const uint8_t *folded, const uint8_t *predicted, const words_t *words, size_t count,
                         uint8_t *out) {
#define UNFOLD(bytes, is_float) unfold_all(folded, predicted, count, out, bytes, is_float)
    BY_WORDS(UNFOLD);
#undef UNFOLD
}

/* --- planes ------------------------------------------------------------------------------------------ */

/* Byte i of every word stands in plane i; with `turn`, words are turned left by one bit first, so that a sign
 * leaves the byte of the exponent. */
ALWAYS_INLINE void split_words(const uint8_t *plain, uint8_t *out, size_t count, unsigned bytes, unsigned turn) {
    for (size_t i = 0; i < count; i++) {
        uint64_t w = load_word(plain + i * bytes, bytes);
        if (turn) w = w << 1 | w >> (8 * bytes - 1);
        for (unsigned b = 0; b < bytes; b++) out[b * count + i] = (uint8_t)(w >> (8 * b));
    }
}

ALWAYS_INLINE void join_words(const uint8_t *const planes[8], uint8_t *restrict out, size_t count, unsigned bytes,
                              unsigned turn) {
    for (size_t i = 0; i < count; i++) {
        uint64_t w = 0;
        for (unsigned b = 0; b < bytes; b++) w |= (uint64_t)planes[b][i] << (8 * b);
        if (turn) w = w >> 1 | (w & 1) << (8 * bytes - 1);
        store_word(out + i * bytes, bytes, w);
    }
}

#define JOIN(bytes) (turn ? join_words(planes, out, count, bytes, 1) : join_words(planes, out, count, bytes, 0))
#define JOIN_PLANES                                                                                      \
    do {                                                                                                 \
        if (bytes == 1) JOIN(1);                                                                         \
        else if (bytes == 2) JOIN(2);                                                                    \
        else if (bytes == 4) JOIN(4);                                                                    \
        else JOIN(8);                                                                                    \
    } while (0)

#if WITH_AVX2
AVX2 static void join_avx2(const uint8_t *const planes[8], uint8_t *out, size_t count, unsigned bytes, unsigned turn) {
    JOIN_PLANES;
}
#endif

static void join_planes(const uint8_t *const planes[8], uint8_t *out, size_t count, unsigned bytes, unsigned turn) {
#if WITH_AVX2
    if (vectors_wanted) {
        join_avx2(planes, out, count, bytes, turn);
        return;
    }
#endif
    JOIN_PLANES;
}

/* --- what is lent for a call --------------------------------------------------------------------------- */

typedef struct {
    tables_t tables;
    union {
        uint32_t slots[MAX_CONTEXTS * SCALE];
        symbol_t symbols[MAX_CONTEXTS * MAX_TOKENS];
    } of;
} scratch_t;

/* Fills `words` from the shape of a word type; -1 where there is no such type. */
static int words_of(unsigned bytes, unsigned exponent_bits, unsigned mantissa_bits, words_t *words) {
    if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) return -1;
    words->bytes = bytes;
    words->is_float = exponent_bits > 0;
    words->key_shift = 8 * bytes - 8;
    words->key_mask = 255;
    if (!exponent_bits) return 0;
    /* Counters have room for 256 keys of short words. */
    if (exponent_bits > (bytes < 8 ? 8 : 11) || mantissa_bits > 52) return -1;
    if (exponent_bits + mantissa_bits + 1 != 8 * bytes) return -1;
    words->key_shift = mantissa_bits;
    words->key_mask = (1u << exponent_bits) - 1;
    return 0;
}

/* A payload of a byte plane, decoded into `out`. 0, or -1 where it is malformed. */
static int decode_plane(const uint8_t *data, size_t size, size_t count, scratch_t *scratch, uint8_t *out) {
    size_t used = read_tables(data, size, MAX_TOKENS, 1, &scratch->tables);
    if (!used) return -1;
    fill_slots(&scratch->tables, MAX_TOKENS, scratch->of.slots);
    return decode_tokens(data + used, size - used, &scratch->tables, scratch->of.slots, NULL, NULL, count, out) ==
                   size - used
               ? 0
               : -1;
}

#define PLANE_RAW 0
#define PLANE_CONSTANT 1
#define PLANE_CODED 2

/* Words in planes, each in one of three forms behind a u8 form and a u32 length, decoded into `out`; `room` holds as
 * many bytes as `out`. 0, or -1 where they are malformed. */
static int decode_planes(const uint8_t *data, size_t size, size_t count, unsigned bytes, unsigned turn,
                         scratch_t *scratch, uint8_t *room, uint8_t *out) {
    const uint8_t *planes[8];
    for (unsigned b = 0; b < bytes; b++) {
        unsigned form;
        size_t length;
        if (size < 5) return -1;
        form = data[0];
        length = (size_t)data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16 | (size_t)data[4] << 24;
        data += 5;
        size -= 5;
        if (length > size) return -1;
        planes[b] = room + b * count;
        if (form == PLANE_RAW && length == count) planes[b] = data;
        else if (form == PLANE_CONSTANT && length == 1) memset(room + b * count, data[0], count);
        else if (form != PLANE_CODED || decode_plane(data, length, count, scratch, room + b * count)) return -1;
        data += length;
        size -= length;
    }
    if (size) return -1;
    join_planes(planes, out, count, bytes, turn);
    return 0;
}

#endif
