/* The coder of blocks for Python: what is in _rans.h, called with buffers and without the GIL.
 *
 * Every size is compared here before anything is read or written; what is allocated depends only on buffers that
 * the caller holds already.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

#include "_carrying.h"
#include "_plan.h"

/* --- what Python calls ------------------------------------------------------------------------------- */

static int known_words(unsigned bytes, unsigned exponent_bits, unsigned mantissa_bits, words_t *words) {
    if (!words_of(bytes, exponent_bits, mantissa_bits, words)) return 0;
    PyErr_SetString(PyExc_ValueError, "there are no such words");
    return -1;
}

static int count_of(Py_ssize_t size, unsigned bytes, size_t *count) {
    if (size < 0 || size % (Py_ssize_t)bytes || (size_t)size / bytes > MAX_WORDS) {
        PyErr_SetString(PyExc_ValueError, "the bytes are no whole words, or too many");
        return -1;
    }
    *count = (size_t)size / bytes;
    return 0;
}

static PyObject *py_analyse(PyObject *self, PyObject *args) {
    Py_buffer plain, predicted, tokens, counts;
    unsigned bytes, exponent_bits, mantissa_bits;
    words_t words;
    size_t count;
    uint64_t bits;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*IIIw*w*", &plain, &predicted, &bytes, &exponent_bits, &mantissa_bits, &tokens, &counts))
        return NULL;
    if (known_words(bytes, exponent_bits, mantissa_bits, &words) || count_of(plain.len, bytes, &count)) goto done;
    if (predicted.len != plain.len || (size_t)tokens.len != count ||
        (size_t)counts.len != 4 * (size_t)(words.key_mask + 1) * token_count(bytes) || (uintptr_t)counts.buf % 4) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    analyse(plain.buf, predicted.buf, &words, count, tokens.buf, counts.buf);
    bits = raw_bits_in(tokens.buf, count, token_count(bytes));
    Py_END_ALLOW_THREADS
    result = PyLong_FromUnsignedLongLong(bits);
done:
    PyBuffer_Release(&plain);
    PyBuffer_Release(&predicted);
    PyBuffer_Release(&tokens);
    PyBuffer_Release(&counts);
    return result;
}

/* The counts as their buffer has them: keys x tokens. */
static int counts_of(const Py_buffer *counts, unsigned *keys, unsigned *kinds) {
    if (counts->ndim != 2 || counts->itemsize != 4 || (uintptr_t)counts->buf % 4 || counts->shape[0] < 1 ||
        counts->shape[0] > MAX_KEYS || counts->shape[1] < 8 || counts->shape[1] > MAX_TOKENS || counts->shape[1] % 8) {
        PyErr_SetString(PyExc_ValueError, "counts of the wrong shape");
        return -1;
    }
    *keys = (unsigned)counts->shape[0];
    *kinds = (unsigned)counts->shape[1];
    return 0;
}

static PyObject *py_plan(PyObject *self, PyObject *args) {
    PyObject *given, *result = NULL;
    Py_buffer counts;
    unsigned keys, kinds;
    struct { plan_t plan; uint32_t sums[MAX_KEYS]; uint8_t tables[MOST_TABLE_BYTES]; } *room = NULL;
    size_t used = 0;
    uint64_t bits = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &given)) return NULL;
    if (PyObject_GetBuffer(given, &counts, PyBUF_C_CONTIGUOUS)) return NULL;
    if (counts_of(&counts, &keys, &kinds)) goto done;
    room = malloc(sizeof *room);
    if (!room) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    used = plan_tables(counts.buf, keys, kinds, room->sums, &room->plan, room->tables, &bits);
    Py_END_ALLOW_THREADS
    if (!used) PyErr_SetString(PyExc_ValueError, "nothing was counted, or too much");
    else result = Py_BuildValue("y#K", (const char *)room->tables, (Py_ssize_t)used, (unsigned long long)bits);
done:
    free(room);
    PyBuffer_Release(&counts);
    return result;
}

/* tables + tokens (+ raw bits, with words) as one bytes object */
static PyObject *encoded(const Py_buffer *head, const Py_buffer *tokens, const Py_buffer *plain,
                         const Py_buffer *predicted, const words_t *words) {
    unsigned kinds = words ? token_count(words->bytes) : MAX_TOKENS;
    size_t count = (size_t)tokens->len, raw_size = 0, used;
    scratch_t *scratch = malloc(sizeof *scratch);
    uint8_t *room = malloc(BODY_HEAD + 2 * count), *at = NULL, *raw = NULL;
    PyObject *result = NULL;
    const char *wrong = NULL;
    if (!scratch || !room) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    used = read_tables(head->buf, (size_t)head->len, kinds, words ? words->key_mask + 1 : 1, &scratch->tables);
    if (!used || used != (size_t)head->len) wrong = "malformed tables";
    if (!wrong) {
        const uint8_t *token = tokens->buf;
        uint64_t bits = words ? raw_bits_in(token, count, kinds) : 0;
        fill_symbols(&scratch->tables, kinds, scratch->of.symbols);
        if (bits == ~(uint64_t)0) wrong = "a token that there is not";
        if (!wrong) {
            at = encode_tokens(token, count, &scratch->tables, scratch->of.symbols, predicted ? predicted->buf : NULL,
                               words, room);
            if (!at) wrong = "a token without a frequency";
        }
        if (!wrong && words) {
            raw_size = (size_t)((bits + 7) / 8);
            raw = calloc(raw_size + 8, 1);
            if (raw) pack_raw(token, plain->buf, predicted->buf, words, count, raw);
        }
    }
    Py_END_ALLOW_THREADS
    if (wrong) PyErr_SetString(PyExc_ValueError, wrong);
    else if (words && !raw) PyErr_NoMemory();
    else {
        size_t body = (size_t)(room + BODY_HEAD + 2 * count - at);
        result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(used + body + raw_size));
        if (result) {
            char *into = PyBytes_AsString(result);
            memcpy(into, head->buf, used);
            memcpy(into + used, at, body);
            if (raw_size) memcpy(into + used + body, raw, raw_size);
        }
    }
done:
    free(scratch);
    free(room);
    free(raw);
    return result;
}

static PyObject *py_encode_residual(PyObject *self, PyObject *args) {
    Py_buffer head, tokens, plain, predicted;
    unsigned bytes, exponent_bits, mantissa_bits;
    words_t words;
    size_t count;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*III", &head, &tokens, &plain, &predicted, &bytes, &exponent_bits, &mantissa_bits))
        return NULL;
    if (!known_words(bytes, exponent_bits, mantissa_bits, &words) && !count_of(plain.len, bytes, &count)) {
        if (predicted.len != plain.len || (size_t)tokens.len != count)
            PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        else
            result = encoded(&head, &tokens, &plain, &predicted, &words);
    }
    PyBuffer_Release(&head);
    PyBuffer_Release(&tokens);
    PyBuffer_Release(&plain);
    PyBuffer_Release(&predicted);
    return result;
}

static PyObject *py_encode_plane(PyObject *self, PyObject *args) {
    Py_buffer head, plane;
    size_t count;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*", &head, &plane)) return NULL;
    if (!count_of(plane.len, 1, &count)) result = encoded(&head, &plane, NULL, NULL, NULL);
    PyBuffer_Release(&head);
    PyBuffer_Release(&plane);
    return result;
}

static PyObject *py_decode_residual(PyObject *self, PyObject *args) {
    Py_buffer payload, predicted, out;
    unsigned bytes, exponent_bits, mantissa_bits;
    words_t words;
    size_t count;
    PyObject *result = NULL;
    scratch_t *scratch = NULL;
    uint8_t *tokens = NULL;
    int failed;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*III", &payload, &predicted, &out, &bytes, &exponent_bits, &mantissa_bits))
        return NULL;
    if (known_words(bytes, exponent_bits, mantissa_bits, &words) || count_of(out.len, bytes, &count)) goto done;
    if (predicted.len != out.len) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto done;
    }
    scratch = malloc(sizeof *scratch);
    tokens = malloc(count + 1);
    if (!scratch || !tokens) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    failed = decode_residual(payload.buf, (size_t)payload.len, predicted.buf, &words, count, tokens, &scratch->tables,
                             scratch->of.slots, out.buf);
    Py_END_ALLOW_THREADS
    if (failed) PyErr_SetString(PyExc_ValueError, "malformed residuals");
    else {
        result = Py_None;
        Py_INCREF(result);
    }
done:
    free(scratch);
    free(tokens);
    PyBuffer_Release(&payload);
    PyBuffer_Release(&predicted);
    PyBuffer_Release(&out);
    return result;
}

/* Words as far as they are from predicted ones, or, to be `restored`, what is so far. */
static PyObject *differences(PyObject *args, int restoring) {
    Py_buffer from, predicted, out;
    unsigned bytes, exponent_bits, mantissa_bits;
    words_t words;
    size_t count;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*w*III", &from, &predicted, &out, &bytes, &exponent_bits, &mantissa_bits))
        return NULL;
    if (known_words(bytes, exponent_bits, mantissa_bits, &words) || count_of(out.len, bytes, &count)) goto done;
    if (predicted.len != out.len || from.len != out.len) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    if (restoring) unfold_words(from.buf, predicted.buf, &words, count, out.buf);
    else fold_words(from.buf, predicted.buf, &words, count, out.buf);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    PyBuffer_Release(&from);
    PyBuffer_Release(&predicted);
    PyBuffer_Release(&out);
    return result;
}

static PyObject *py_fold(PyObject *self, PyObject *args) { (void)self; return differences(args, 0); }
static PyObject *py_unfold(PyObject *self, PyObject *args) { (void)self; return differences(args, 1); }

static PyObject *planes(PyObject *args, int joining) {
    Py_buffer from, out;
    unsigned bytes, turn;
    words_t words;
    size_t count;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*w*II", &from, &out, &bytes, &turn)) return NULL;
    if (known_words(bytes, 0, 0, &words) || count_of(from.len, bytes, &count)) goto done;
    if (from.len != out.len) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    if (joining) {
        const uint8_t *planes[8];
        for (unsigned b = 0; b < bytes; b++) planes[b] = (const uint8_t *)from.buf + b * count;
        join_planes(planes, out.buf, count, bytes, turn);
    } else {
#define RUN(bytes) (turn ? split_words(from.buf, out.buf, count, bytes, 1) : split_words(from.buf, out.buf, count, bytes, 0))
        if (bytes == 1) RUN(1);
        else if (bytes == 2) RUN(2);
        else if (bytes == 4) RUN(4);
        else RUN(8);
#undef RUN
    }
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    PyBuffer_Release(&from);
    PyBuffer_Release(&out);
    return result;
}

static PyObject *py_split(PyObject *self, PyObject *args) { (void)self; return planes(args, 0); }
static PyObject *py_join(PyObject *self, PyObject *args) { (void)self; return planes(args, 1); }

static PyObject *py_decode_planes(PyObject *self, PyObject *args) {
    Py_buffer payload, out;
    unsigned bytes, turn;
    words_t words;
    size_t count;
    PyObject *result = NULL;
    scratch_t *scratch = NULL;
    uint8_t *room = NULL;
    int failed;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*II", &payload, &out, &bytes, &turn)) return NULL;
    if (known_words(bytes, 0, 0, &words) || count_of(out.len, bytes, &count)) goto done;
    scratch = malloc(sizeof *scratch);
    room = malloc((size_t)out.len + 1);
    if (!scratch || !room) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    failed = decode_planes(payload.buf, (size_t)payload.len, count, bytes, turn, scratch, room, out.buf);
    Py_END_ALLOW_THREADS
    if (failed) PyErr_SetString(PyExc_ValueError, "malformed planes");
    else {
        result = Py_None;
        Py_INCREF(result);
    }
done:
    free(scratch);
    free(room);
    PyBuffer_Release(&payload);
    PyBuffer_Release(&out);
    return result;
}

static PyObject *py_brain_words(PyObject *self, PyObject *args) {
    Py_buffer singles, out;
    size_t count;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*", &singles, &out)) return NULL;
    if (!count_of(singles.len, 4, &count)) {
        if ((size_t)out.len != 2 * count) PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        else {
            Py_BEGIN_ALLOW_THREADS
            brain_words(singles.buf, out.buf, count);
            Py_END_ALLOW_THREADS
            result = Py_None;
            Py_INCREF(result);
        }
    }
    PyBuffer_Release(&singles);
    PyBuffer_Release(&out);
    return result;
}

static PyObject *py_is_same(PyObject *self, PyObject *args) {
    Py_buffer one, other;
    int same;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*", &one, &other)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    same = one.len == other.len && !memcmp(one.buf, other.buf, (size_t)one.len);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&one);
    PyBuffer_Release(&other);
    return PyBool_FromLong(same);
}

static PyObject *py_histogram(PyObject *self, PyObject *args) {
    Py_buffer data, counts;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*", &data, &counts)) return NULL;
    if (counts.len != 4 * 256 || (uintptr_t)counts.buf % 4 || (size_t)data.len > 8 * MAX_WORDS)
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
    else {
        const uint8_t *at = data.buf;
        uint32_t *count = counts.buf;
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < data.len; i++) count[at[i]]++;
        Py_END_ALLOW_THREADS
        result = Py_None;
        Py_INCREF(result);
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&counts);
    return result;
}

/* Whether vector instructions are used from now on, in the whole process; where there are none, never. */
static PyObject *py_use_vectors(PyObject *self, PyObject *args) {
    int wanted;
    (void)self;
    if (!PyArg_ParseTuple(args, "p", &wanted)) return NULL;
    vectors_wanted = wanted && vectors_there;
    return PyBool_FromLong(vectors_wanted);
}

static PyMethodDef methods[] = {
    {"analyse", py_analyse, METH_VARARGS, NULL},
    {"plan", py_plan, METH_VARARGS, NULL},
    {"encode_residual", py_encode_residual, METH_VARARGS, NULL},
    {"decode_residual", py_decode_residual, METH_VARARGS, NULL},
    {"encode_plane", py_encode_plane, METH_VARARGS, NULL},
    {"decode_planes", py_decode_planes, METH_VARARGS, NULL},
    {"fold", py_fold, METH_VARARGS, NULL},
    {"unfold", py_unfold, METH_VARARGS, NULL},
    {"is_same", py_is_same, METH_VARARGS, NULL},
    {"carry_out", py_carry_out, METH_VARARGS, NULL},
    {"joined", py_joined, METH_VARARGS, NULL},
    {"brain_words", py_brain_words, METH_VARARGS, NULL},
    {"split", py_split, METH_VARARGS, NULL},
    {"join", py_join, METH_VARARGS, NULL},
    {"histogram", py_histogram, METH_VARARGS, NULL},
    {"use_vectors", py_use_vectors, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_coder", "The coder of blocks, in C.", 0, methods, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__coder(void) {
    prepare_vectors();
    prepare_logs();
    return PyModuleDef_Init(&module);
}
