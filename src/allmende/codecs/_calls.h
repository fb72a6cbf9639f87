/* Calls of the coder that are carried out one after another, on bytes that one of them makes and the next one takes.
 *
 * So a run of blocks, each on what it is predicted from, is decoded at one go. Sizes are compared before anything is
 * read or written; what is allocated depends only on buffers that the caller holds already.
 */
#ifndef ALLMENDE_CALLS_H
#define ALLMENDE_CALLS_H

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "_rans.h"

#define CALL_COPY 0     /* bytes as they are */
#define CALL_PLANES 1   /* stored byte planes to words */
#define CALL_RESIDUAL 2 /* a payload to words, against predicted ones */
#define CALL_BRAIN 3    /* words of F32 to the nearest of BF16 */
#define CALL_READ 4     /* bytes of an open file */

typedef struct {
    unsigned what, turn;
    words_t words;
    const uint8_t *data, *predicted; /* `predicted` for residuals alone */
    size_t size, predicted_size;
    uint8_t *out;
    size_t out_size;
    int file;
    off_t place; /* of what is read in the file */
} call_t;

/* The bfloat16 nearest to each float32, ties to the even one; a NaN keeps its sign and its highest bits. */
ALWAYS_INLINE void brains_of(const uint8_t *singles, uint8_t *restrict out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)load_word(singles + 4 * i, 4), nan = 0 - (uint32_t)((bits & 0x7fffffff) > 0x7f800000);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
        store_word(out + 2 * i, 2, (rounded & ~nan) | (quiet & nan));
    }
}

#if WITH_AVX2
AVX2 static void brains_avx2(const uint8_t *singles, uint8_t *out, size_t count) { brains_of(singles, out, count); }
#endif

static void brain_words(const uint8_t *singles, uint8_t *out, size_t count) {
#if WITH_AVX2
    if (vectors_wanted) {
        brains_avx2(singles, out, count);
        return;
    }
#endif
    brains_of(singles, out, count);
}

/* Fills in what a call is about from its kind and the shape of its words: `turn` for planes, which have no other.
 * -1 where there is no such call, or its buffers do not fit together. */
static int check_call(call_t *call, unsigned bytes, unsigned exponent_bits, unsigned mantissa_bits) {
    int planes = call->what == CALL_PLANES;
    call->turn = planes && exponent_bits;
    if (words_of(bytes, planes ? 0 : exponent_bits, planes ? 0 : mantissa_bits, &call->words)) return -1;
    if (call->out_size % bytes || call->out_size / bytes > MAX_WORDS) return -1;
    if (call->what == CALL_RESIDUAL) return call->predicted && call->predicted_size == call->out_size ? 0 : -1;
    if (call->predicted) return -1;
    if (call->what == CALL_COPY) return call->size == call->out_size ? 0 : -1;
    if (call->what == CALL_BRAIN) return bytes == 2 && call->size / 2 == call->out_size && call->size % 4 == 0 ? 0 : -1;
    return planes ? 0 : -1;
}

/* Fills `out` from the file; -1 where it has not as many bytes there, or cannot be read. */
static int read_all(const call_t *call) {
    size_t done = 0;
    while (done < call->out_size) {
        ssize_t some = pread(call->file, call->out + done, call->out_size - done, call->place + (off_t)done);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return -1;
        done += (size_t)some;
    }
    return 0;
}

/* How many bytes have to be lent to a call that was checked. */
static size_t room_of(const call_t *call) {
    if (call->what == CALL_PLANES) return call->out_size;
    return call->what == CALL_RESIDUAL ? call->out_size / call->words.bytes : 0;
}

/* 0, or -1 where what was given is malformed. `room` has as many bytes as the call asks for. */
static int carry_out(const call_t *call, scratch_t *scratch, uint8_t *room) {
    size_t count;
    if (call->what == CALL_READ) return read_all(call);
    count = call->out_size / call->words.bytes;
    switch (call->what) {
    case CALL_COPY:
        if (call->size) memmove(call->out, call->data, call->size);
        return 0;
    case CALL_PLANES:
        return decode_planes(call->data, call->size, count, call->words.bytes, call->turn, scratch, room, call->out);
    case CALL_RESIDUAL:
        return decode_residual(call->data, call->size, call->predicted, &call->words, count, room, &scratch->tables,
                               scratch->of.slots, call->out);
    default:
        brain_words(call->data, call->out, count);
        return 0;
    }
}

#endif
