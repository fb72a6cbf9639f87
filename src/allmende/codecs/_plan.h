/* Tables of the coder of blocks, planned: which keys share a context, how often each token comes in it, and the
 * bytes that say so.
 *
 * rans_tables.py says the same in numpy and is the norm: both plan the same tables for the same counts, so all of it
 * is in whole numbers. Entropies are in parts of a bit, see LOG_ONE.
 */
#ifndef ALLMENDE_PLAN_H
#define ALLMENDE_PLAN_H

#include "_rans.h"

#define LOG_ONE 16    /* log2 of the parts of a bit that logarithms are told in */
#define LOG_STEPS 11  /* so many bits after the highest one are looked at */
#define MOST_GROUPS 64
#define MOST_TABLE_BYTES (1 + 2 * MAX_CONTEXTS + MAX_CONTEXTS * (MAX_TOKENS / 8 + 2 * MAX_TOKENS))

static uint16_t log_of[1 << LOG_STEPS];

/* Called once, before anything else: logarithms of numbers from 1 to 2, in the middle of each step, digit by digit. */
static void prepare_logs(void) {
    for (uint32_t step = 0; step < 1u << LOG_STEPS; step++) {
        uint64_t y = (uint64_t)((1u << (LOG_STEPS + 1)) + 2 * step + 1) << (31 - LOG_STEPS - 1);
        uint32_t digits = 0;
        for (unsigned digit = 0; digit < LOG_ONE; digit++) {
            uint64_t above;
            y = y * y >> 31;
            above = y >> 32;
            y >>= above;
            digits = digits << 1 | (uint32_t)above;
        }
        log_of[step] = (uint16_t)digits;
    }
}

/* x * log2(x); 0 for 0. */
ALWAYS_INLINE uint64_t times_log(uint32_t x) {
    unsigned length = bit_length(x | 1);
    uint32_t step = (uint32_t)((uint64_t)x << (64 - length) >> (63 - LOG_STEPS)) & ((1u << LOG_STEPS) - 1);
    return x * ((uint64_t)(length - 1) << LOG_ONE | log_of[step]);
}

typedef struct {
    unsigned rows, kinds;
    unsigned first_key[MOST_GROUPS];
    uint64_t cost[MOST_GROUPS];   /* of each row alone */
    uint64_t joined[MOST_GROUPS]; /* of each row with the one after it */
    uint32_t *row[MOST_GROUPS];   /* points into `counts` */
    uint32_t counts[MOST_GROUPS * MAX_TOKENS];
} plan_t;

/* Bits of the tokens of two rows, and of one table for both; `other` may be NULL. */
static uint64_t cost_of(const uint32_t *row, const uint32_t *other, unsigned kinds) {
    uint64_t spent = 0;
    uint32_t total = 0, used = 0;
    for (unsigned t = 0; t < kinds; t++) {
        uint32_t x = row[t] + (other ? other[t] : 0);
        if (!x) continue;
        spent += times_log(x);
        total += x;
        used++;
    }
    return times_log(total) - spent + ((uint64_t)(kinds + 10 * used + 16) << LOG_ONE);
}

/* Rows to begin with: rare keys are in one with their neighbours. The sum of all counts, which is below 2^31; 0
 * where nothing was counted. */
static uint64_t group_keys(const uint32_t *counts, unsigned keys, unsigned kinds, uint32_t *sums, plan_t *plan) {
    uint64_t total = 0, before = 0, group = 0;
    plan->rows = 0;
    plan->kinds = kinds;
    for (unsigned key = 0; key < keys; key++) {
        uint64_t sum = 0;
        for (unsigned t = 0; t < kinds; t++) sum += counts[(size_t)key * kinds + t];
        if (sum > (uint64_t)1 << 30) return 0;
        total += sum;
        sums[key] = (uint32_t)sum;
    }
    if (total > (uint64_t)1 << 30) return 0;
    for (unsigned key = 0; key < keys; key++) {
        uint64_t number;
        uint32_t *row;
        if (!sums[key]) continue;
        before += sums[key];
        number = (before - 1) * MOST_GROUPS / total; /* below MOST_GROUPS, and never less than the one before */
        if (!plan->rows || number != group) {
            plan->first_key[plan->rows] = plan->rows ? key : 0;
            row = plan->row[plan->rows] = plan->counts + (size_t)plan->rows * MAX_TOKENS;
            plan->rows++;
            memset(row, 0, kinds * sizeof *row);
        }
        group = number;
        row = plan->row[plan->rows - 1];
        for (unsigned t = 0; t < kinds; t++) row[t] += counts[(size_t)key * kinds + t];
    }
    return total;
}

static void join_at(plan_t *plan, unsigned at) {
    uint32_t *row = plan->row[at], *next = plan->row[at + 1];
    for (unsigned t = 0; t < plan->kinds; t++) row[t] += next[t];
    plan->cost[at] = plan->joined[at];
    plan->rows--;
    for (unsigned i = at + 1; i < plan->rows; i++) {
        plan->row[i] = plan->row[i + 1];
        plan->first_key[i] = plan->first_key[i + 1];
        plan->cost[i] = plan->cost[i + 1];
    }
    for (unsigned i = at; i + 1 < plan->rows; i++) plan->joined[i] = plan->joined[i + 1];
    if (at) plan->joined[at - 1] = cost_of(plan->row[at - 1], row, plan->kinds);
    if (at + 1 < plan->rows) plan->joined[at] = cost_of(row, plan->row[at + 1], plan->kinds);
}

/* Joins neighbours as long as a table saved is worth more than what the tokens then cost; the bits of all. */
static uint64_t join_rows(plan_t *plan) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < plan->rows; i++) plan->cost[i] = cost_of(plan->row[i], NULL, plan->kinds);
    for (unsigned i = 0; i + 1 < plan->rows; i++)
        plan->joined[i] = cost_of(plan->row[i], plan->row[i + 1], plan->kinds);
    while (plan->rows > 1) {
        int64_t most = INT64_MIN;
        unsigned best = 0;
        for (unsigned i = 0; i + 1 < plan->rows; i++) {
            int64_t gain = (int64_t)(plan->cost[i] + plan->cost[i + 1]) - (int64_t)plan->joined[i];
            if (gain > most) {
                most = gain;
                best = i;
            }
        }
        if (most <= 0 && plan->rows <= MAX_CONTEXTS) break;
        join_at(plan, best);
    }
    for (unsigned i = 0; i < plan->rows; i++) bits += plan->cost[i];
    return bits >> LOG_ONE;
}

/* Turns a row's counts into frequencies that sum to SCALE and are at least 1 for what comes at all. */
static void scale_row(uint32_t *row, unsigned kinds) {
    uint64_t total = 0;
    int64_t missing = SCALE;
    for (unsigned t = 0; t < kinds; t++) total += row[t];
    for (unsigned t = 0; t < kinds; t++) {
        uint64_t twice;
        if (!row[t]) continue;
        twice = (uint64_t)row[t] * (2 * SCALE) + total;
        /* The same quotient; short numbers are divided in a fraction of the time. */
        row[t] = twice >> 32 ? (uint32_t)(twice / (2 * total)) : (uint32_t)twice / (uint32_t)(2 * total);
        if (!row[t]) row[t] = 1;
        missing -= row[t];
    }
    while (missing) {
        unsigned largest = 0;
        int64_t change;
        for (unsigned t = 1; t < kinds; t++)
            if (row[t] > row[largest]) largest = t;
        change = -(int64_t)(row[largest] / 2);
        if (missing > change) change = missing;
        row[largest] = (uint32_t)(row[largest] + change);
        missing -= change;
    }
}

static size_t write_tables(const plan_t *plan, uint8_t *out) {
    uint8_t *at = out;
    *at++ = (uint8_t)plan->rows;
    for (unsigned i = 1; i < plan->rows; i++, at += 2) store_word(at, 2, plan->first_key[i]);
    for (unsigned i = 0; i < plan->rows; i++) {
        const uint32_t *row = plan->row[i];
        unsigned last = 0;
        memset(at, 0, plan->kinds / 8);
        for (unsigned t = 0; t < plan->kinds; t++)
            if (row[t]) {
                at[t >> 3] |= (uint8_t)(1u << (t & 7));
                last = t;
            }
        at += plan->kinds / 8;
        for (unsigned t = 0; t < last; t++) {
            if (!row[t]) continue;
            *at++ = row[t] < 128 ? (uint8_t)row[t] : (uint8_t)((row[t] & 127) | 128);
            if (row[t] >= 128) *at++ = (uint8_t)(row[t] >> 7);
        }
    }
    return (size_t)(at - out);
}

/* Writes the tables that suit `counts` (keys x kinds, both within the limits) to `out`, which holds MOST_TABLE_BYTES;
 * the bytes they take, or 0 where nothing was counted, or more than 2^30. `bits`: of the tables and of the tokens. */
static size_t plan_tables(const uint32_t *counts, unsigned keys, unsigned kinds, uint32_t *sums, plan_t *plan,
                          uint8_t *out, uint64_t *bits) {
    if (!group_keys(counts, keys, kinds, sums, plan)) return 0;
    *bits = join_rows(plan);
    for (unsigned i = 0; i < plan->rows; i++) scale_row(plan->row[i], kinds);
    return write_tables(plan, out);
}

#endif
