/* Mutates payloads of the coder of blocks and decodes them, under the sanitizers of the compiler.
 *
 *     fuzz SECONDS [SEED]
 *
 * Buffers end where the coder may read and write no further, so that the address sanitizer sees one byte too
 * many. Payloads are made by the encoder from words that drift, then changed; sometimes they are noise. They are
 * decoded alone, and as calls one after another, of which many do not fit together. What is found aborts with the
 * seed of its round, which `fuzz 0 SEED` repeats. A payload that was not changed has to come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../src/allmende/codecs/_calls.h"
#include "../../src/allmende/codecs/_plan.h"

static uint64_t state;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1Du;
}

static uint64_t below(uint64_t limit) { return next() % limit; }

static const unsigned shapes[][3] = {
    {1, 0, 0}, {2, 0, 0}, {4, 0, 0}, {8, 0, 0}, {4, 8, 23}, {2, 8, 7}, {2, 5, 10}, {8, 11, 52}, {1, 4, 3}, {1, 5, 2},
};

static void fail(const char *what, uint64_t seed) {
    printf("%s in round %llu\n", what, (unsigned long long)seed);
    abort();
}

static void *exactly(size_t size) {
    void *made = malloc(size ? size : 1);
    if (!made) abort();
    return made;
}

/* Tables with up to 16 contexts in which every token that comes has a frequency. */
static size_t make_tables(const uint8_t *tokens, size_t count, unsigned kinds, unsigned keys, uint8_t *out) {
    unsigned contexts = keys > 16 ? 1 + (unsigned)below(MAX_CONTEXTS) : 1, first = 0;
    size_t at = 0;
    uint8_t seen[MAX_TOKENS] = {0};
    for (size_t i = 0; i < count; i++) seen[tokens[i]] = 1;
    out[at++] = (uint8_t)contexts;
    for (unsigned c = 1; c < contexts; c++) {
        first += 1 + (unsigned)below((keys - 1) / contexts);
        out[at++] = (uint8_t)first;
        out[at++] = (uint8_t)(first >> 8);
    }
    for (unsigned c = 0; c < contexts; c++) {
        unsigned left = SCALE, kept = 0, met = 0;
        for (unsigned t = 0; t < kinds; t++) kept += seen[t];
        for (unsigned t = 0; t < kinds; t += 8) {
            uint8_t bits = 0;
            for (unsigned b = 0; b < 8; b++) bits |= (uint8_t)(seen[t + b] << b);
            out[at++] = bits;
        }
        for (unsigned t = 0; t < kinds; t++) {
            unsigned f;
            if (!seen[t] || ++met == kept) continue;
            f = 1 + (unsigned)below((left - (kept - met)) > 1 ? (left - (kept - met)) / 2 + 1 : 1);
            left -= f;
            out[at++] = f < 128 ? (uint8_t)f : (uint8_t)((f & 127) | 128);
            if (f >= 128) out[at++] = (uint8_t)(f >> 7);
        }
    }
    return at;
}

/* Tables planned for what was counted: the reader has to take them. */
static size_t plan_for(const uint32_t *counts, unsigned kinds, unsigned keys, uint8_t *out, uint64_t seed) {
    plan_t *plan = exactly(sizeof *plan);
    uint32_t *sums = exactly(keys * sizeof *sums), *made = exactly((size_t)keys * kinds * sizeof *made);
    uint8_t *written = exactly(MOST_TABLE_BYTES);
    uint64_t bits = 0;
    size_t size = plan_tables(counts, keys, kinds, sums, plan, written, &bits);
    if (!size) fail("counts without tables", seed);
    memcpy(out, written, size);
    /* Any numbers at all may be asked for. */
    for (size_t i = 0; i < (size_t)keys * kinds; i++) made[i] = below(9) ? 0 : (uint32_t)(next() >> (32 + below(32)));
    size_t other = plan_tables(made, keys, kinds, sums, plan, written, &bits);
    if (other) {
        tables_t *tables = exactly(sizeof *tables);
        if (read_tables(written, other, kinds, keys, tables) != other) fail("planned tables that are refused", seed);
        free(tables);
    }
    free(plan);
    free(sums);
    free(made);
    free(written);
    return size;
}

static void folded_and_back(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                            uint64_t seed) {
    size_t size = count * words->bytes;
    uint8_t *folded = exactly(size), *back = exactly(size);
    fold_words(plain, predicted, words, count, folded);
    unfold_words(folded, predicted, words, count, back);
    if (memcmp(plain, back, size)) fail("folded words that do not come back", seed);
    free(folded);
    free(back);
}

/* A payload of the words, as the encoder makes it; its size. */
static size_t make_payload(const uint8_t *plain, const uint8_t *predicted, const words_t *words, size_t count,
                           uint8_t **payload, uint64_t seed) {
    unsigned kinds = token_count(words->bytes), keys = words->key_mask + 1;
    uint8_t *tokens = exactly(count), *room = exactly(BODY_HEAD + 2 * count), head[MOST_TABLE_BYTES], *body;
    scratch_t *scratch = exactly(sizeof *scratch);
    size_t head_size, body_size, raw_size;
    uint32_t *counts = calloc((size_t)keys * kinds, sizeof *counts);
    uint64_t bits = 0;
    if (!counts) abort();
    analyse(plain, predicted, words, count, tokens, counts);
    vectors_wanted = vectors_there && below(2);
    for (size_t i = 0; i < count; i++) {
        uint64_t word = load_word(plain + i * words->bytes, words->bytes);
        uint64_t guess = load_word(predicted + i * words->bytes, words->bytes);
        uint64_t folded = residual(word, guess, words->bytes, words->is_float);
        if (restored(folded, guess, words->bytes, words->is_float) != word) fail("a word that does not come back", seed);
        if (tokens[i] != token_of(folded)) fail("another token", seed);
        bits += raw_bits_of(tokens[i]);
    }
    if (raw_bits_in(tokens, count, kinds) != bits) fail("another number of raw bits", seed);
    head_size = below(2) ? make_tables(tokens, count, kinds, keys, head)
                         : plan_for(counts, kinds, keys, head, seed);
    free(counts);
    if (read_tables(head, head_size, kinds, keys, &scratch->tables) != head_size) fail("tables that are refused", seed);
    fill_symbols(&scratch->tables, kinds, scratch->of.symbols);
    body = encode_tokens(tokens, count, &scratch->tables, scratch->of.symbols, predicted, words, room);
    if (!body) fail("a token without a frequency", seed);
    body_size = (size_t)(room + BODY_HEAD + 2 * count - body);
    raw_size = (size_t)((bits + 7) / 8);
    *payload = exactly(head_size + body_size + raw_size + 8);
    memcpy(*payload, head, head_size);
    memcpy(*payload + head_size, body, body_size);
    pack_raw(tokens, plain, predicted, words, count, *payload + head_size + body_size);
    if (vectors_there) { /* the same bytes the other way */
        uint8_t *again = exactly(body_size + raw_size + 8), *other;
        vectors_wanted = !vectors_wanted;
        other = encode_tokens(tokens, count, &scratch->tables, scratch->of.symbols, predicted, words, room);
        if (!other || (size_t)(room + BODY_HEAD + 2 * count - other) != body_size) fail("another stream", seed);
        memcpy(again, other, body_size);
        pack_raw(tokens, plain, predicted, words, count, again + body_size);
        if (memcmp(again, *payload + head_size, body_size + raw_size)) fail("other bytes without vectors", seed);
        free(again);
    }
    folded_and_back(plain, predicted, words, count, seed);
    free(tokens);
    free(room);
    free(scratch);
    return head_size + body_size + raw_size;
}

static size_t mutate(uint8_t *data, size_t size) {
    for (uint64_t changes = 1 + below(4); changes && size; changes--) {
        size_t at = (size_t)below(below(2) ? size : (size < 300 ? size : 300));
        switch (below(5)) {
        case 0: data[at] = (uint8_t)next(); break;
        case 1: data[at] ^= (uint8_t)(1u << below(8)); break;
        case 2: data[at] = below(2) ? 0 : 255; break;
        case 3: size = at; break;
        default: memmove(data + at, data + below(size), size - at > 8 && at + 16 < size ? 8 : 0); break;
        }
    }
    return size;
}

/* Planes in each of their forms, the coded one with the bytes of a payload that was made up; decoded as words. */
static void planes_of(const uint8_t *payload, size_t size, size_t count, unsigned bytes, scratch_t *scratch, uint8_t *out) {
    /* Eight bytes more, which `mutate` may read. */
    uint8_t *stored = exactly(bytes * (5 + (count > size ? count : size)) + 8), *room = exactly(bytes * count);
    size_t used = 0;
    for (unsigned b = 0; b < bytes; b++) {
        unsigned form = (unsigned)below(3);
        size_t length = form == PLANE_RAW ? count : form == PLANE_CONSTANT ? 1 : size;
        stored[used] = (uint8_t)form;
        store_word(stored + used + 1, 4, length);
        used += 5;
        for (size_t i = 0; i < length; i++) stored[used + i] = form == PLANE_CODED ? payload[i] : (uint8_t)next();
        used += length;
    }
    if (below(2)) used = mutate(stored, used);
    stored = realloc(stored, used ? used : 1);
    if (!stored) abort();
    decode_planes(stored, used, count, bytes, (unsigned)below(2), scratch, room, out);
    free(stored);
    free(room);
}

/* Calls as a caller may have them: each takes what the one before it made, or the payload; sizes and shapes are often
 * such that the call has to be refused. */
static void calls_of(const uint8_t *payload, size_t size, const unsigned *shape, size_t count) {
    scratch_t *scratch = exactly(sizeof *scratch);
    uint8_t *before = exactly(size);
    size_t before_size = size;
    memcpy(before, payload, size);
    for (unsigned number = 0; number < 4; number++) {
        const unsigned *words = below(4) ? shape : shapes[below(sizeof shapes / sizeof shapes[0])];
        unsigned bytes = below(16) ? words[0] : (unsigned)below(9);
        call_t call = {.what = (unsigned)below(6)};
        size_t out_size = below(8) ? count * words[0] : below(4 * count + 9);
        uint8_t *out, *room, *predicted;
        if (call.what == CALL_READ) continue; /* it has a file, and nothing to be checked */
        if (call.what == CALL_COPY && below(8)) out_size = before_size;
        if (call.what == CALL_BRAIN && below(8)) {
            out_size = before_size / 2;
            bytes = 2;
        }
        out = exactly(out_size);
        predicted = exactly(out_size);
        for (size_t i = 0; i < out_size; i++) out[i] = predicted[i] = (uint8_t)next();
        call.data = below(2) ? before : payload;
        call.size = call.data == before ? before_size : size;
        call.out = out;
        call.out_size = out_size;
        if (call.what == CALL_RESIDUAL ? below(16) : !below(16)) {
            call.predicted = predicted;
            call.predicted_size = below(16) ? out_size : below(out_size + 1);
        }
        vectors_wanted = vectors_there && below(2);
        if (!check_call(&call, bytes, words[1], words[2])) {
            room = exactly(room_of(&call));
            carry_out(&call, scratch, room);
            free(room);
        }
        free(predicted);
        free(before);
        before = out;
        before_size = out_size;
    }
    free(before);
    free(scratch);
}

static void round_of(uint64_t seed) {
    const unsigned *shape = shapes[seed % (sizeof shapes / sizeof shapes[0])];
    words_t words;
    size_t count = 1 + (size_t)below(below(8) ? 200 : 3000), size, changed_size;
    uint8_t *payload, *changed, *plain, *predicted, *tokens, *out;
    scratch_t *scratch = exactly(sizeof *scratch);
    int failed, intact;
    if (words_of(shape[0], shape[1], shape[2], &words)) fail("a shape that there is not", seed);
    plain = exactly(count * words.bytes);
    predicted = exactly(count * words.bytes);
    tokens = exactly(count);
    out = exactly(count * words.bytes);
    for (size_t i = 0; i < count; i++) {
        uint64_t guess = below(3) ? (uint64_t)0x3c3c3c3c3c3c3c3c + below(1u << 20) : next();
        uint64_t word = below(4) ? guess + below(64) : next();
        store_word(predicted + i * words.bytes, words.bytes, guess);
        store_word(plain + i * words.bytes, words.bytes, word);
    }
    size = make_payload(plain, predicted, &words, count, &payload, seed);
    for (unsigned repeat = 0; repeat < 16; repeat++) {
        intact = repeat == 0;
        changed = exactly(size + 8);
        memcpy(changed, payload, size);
        changed_size = intact ? size : mutate(changed, size);
        if (!intact && !below(50))
            for (size_t i = 0; i < changed_size; i++) changed[i] = (uint8_t)next();
        changed = realloc(changed, changed_size ? changed_size : 1); /* ends where the payload does */
        if (!changed) abort();
        vectors_wanted = vectors_there && repeat & 2;
        failed = decode_residual(changed, changed_size, predicted, &words, count, tokens, &scratch->tables,
                                 scratch->of.slots, out);
        if (intact && (failed || memcmp(out, plain, count * words.bytes))) fail("words that do not come back", seed);
        decode_plane(changed, changed_size, count, scratch, tokens);
        planes_of(changed, changed_size, count, words.bytes, scratch, out);
        calls_of(changed, changed_size, shape, count);
        free(changed);
    }
    free(payload);
    free(plain);
    free(predicted);
    free(tokens);
    free(out);
    free(scratch);
}

int main(int count, char **arguments) {
    time_t until = time(NULL) + (count > 1 ? atol(arguments[1]) : 10);
    uint64_t first = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t)time(NULL) * 1000003u, seed = first;
    prepare_vectors();
    prepare_logs();
    do {
        state = (seed + 1) * 0x9E3779B97F4A7C15u | 1;
        round_of(seed);
        seed++;
    } while (time(NULL) < until);
    printf("%llu rounds from %llu, nothing found\n", (unsigned long long)(seed - first), (unsigned long long)first);
    return 0;
}
