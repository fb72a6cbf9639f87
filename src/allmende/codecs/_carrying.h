/* Calls of the coder for Python: a list of them carried out, and runs of bytes joined, both without the GIL.
 *
 * A part of _coder.c, which includes Python.h. Buffers are held until all is done, whatever becomes of the list.
 */
#ifndef ALLMENDE_CARRYING_H
#define ALLMENDE_CARRYING_H

#include "_calls.h"

typedef struct {
    Py_buffer out, data, predicted;
    call_t call;
} held_t;

static void let_go(held_t *held, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        PyBuffer_Release(&held[i].out);
        PyBuffer_Release(&held[i].data);
        PyBuffer_Release(&held[i].predicted);
    }
    free(held);
}

/* A call as Python has it; -1 with an exception where it is none, and nothing is held then. */
static int call_of(PyObject *given, held_t *held) {
    unsigned bytes, exponent_bits, mantissa_bits;
    call_t *call = &held->call;
    if (PyTuple_Check(given) && PyTuple_Size(given) == 4) {
        long long place;
        if (!PyArg_ParseTuple(given, "Iw*iL", &call->what, &held->out, &call->file, &place)) return -1;
        call->out = held->out.buf;
        call->out_size = (size_t)held->out.len;
        call->place = (off_t)place;
        if (call->what == CALL_READ && place >= 0 && call->place == place) return 0;
        PyErr_SetString(PyExc_ValueError, "there is no such call");
        PyBuffer_Release(&held->out);
        return -1;
    }
    if (!PyArg_ParseTuple(given, "Iw*y*z*III", &call->what, &held->out, &held->data, &held->predicted, &bytes,
                          &exponent_bits, &mantissa_bits))
        return -1;
    call->out = held->out.buf;
    call->out_size = (size_t)held->out.len;
    call->data = held->data.buf;
    call->size = (size_t)held->data.len;
    call->predicted = held->predicted.obj ? held->predicted.buf : NULL;
    call->predicted_size = call->predicted ? (size_t)held->predicted.len : 0;
    if (!check_call(call, bytes, exponent_bits, mantissa_bits)) return 0;
    PyErr_SetString(PyExc_ValueError, "there is no such call, or its buffers are of the wrong size");
    PyBuffer_Release(&held->out);
    PyBuffer_Release(&held->data);
    PyBuffer_Release(&held->predicted);
    return -1;
}

static PyObject *py_carry_out(PyObject *self, PyObject *args) {
    PyObject *given, *result = NULL;
    Py_ssize_t count, held_count = 0;
    held_t *held;
    scratch_t *scratch = NULL;
    uint8_t *room = NULL;
    size_t room_size = 1;
    int failed = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &given)) return NULL;
    count = PyList_Size(given);
    held = calloc((size_t)count + 1, sizeof *held);
    if (!held) return PyErr_NoMemory();
    for (; held_count < count; held_count++) {
        PyObject *one = PyList_GetItem(given, held_count); /* borrowed; NULL where the list became shorter */
        if (!one || call_of(one, held + held_count)) goto done;
        size_t needed = room_of(&held[held_count].call);
        if (needed > room_size) room_size = needed;
    }
    scratch = malloc(sizeof *scratch);
    room = malloc(room_size);
    if (!scratch || !room) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < count && !failed; i++) failed = carry_out(&held[i].call, scratch, room);
    Py_END_ALLOW_THREADS
    if (failed) PyErr_SetString(PyExc_ValueError, "malformed residuals or planes, or a file that cannot be read");
    else {
        result = Py_None;
        Py_INCREF(result);
    }
done:
    free(scratch);
    free(room);
    let_go(held, held_count);
    return result;
}

/* Runs of bytes as one: memory is taken and filled without the GIL, which bytes.join holds. */
static PyObject *py_joined(PyObject *self, PyObject *args) {
    PyObject *given, *result = NULL;
    Py_ssize_t count, held_count = 0, total = 0;
    Py_buffer *held;
    (void)self;
    if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &given)) return NULL;
    count = PyList_Size(given);
    held = calloc((size_t)count + 1, sizeof *held);
    if (!held) return PyErr_NoMemory();
    for (; held_count < count; held_count++) {
        PyObject *one = PyList_GetItem(given, held_count);
        if (!one || PyObject_GetBuffer(one, held + held_count, PyBUF_SIMPLE)) goto done;
        if (held[held_count].len > PY_SSIZE_T_MAX - total) {
            held_count++;
            PyErr_NoMemory();
            goto done;
        }
        total += held[held_count].len;
    }
    result = PyBytes_FromStringAndSize(NULL, total);
    if (result) {
        char *into = PyBytes_AsString(result);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++) {
            if (held[i].len) memcpy(into, held[i].buf, (size_t)held[i].len);
            into += held[i].len;
        }
        Py_END_ALLOW_THREADS
    }
done:
    for (Py_ssize_t i = 0; i < held_count; i++) PyBuffer_Release(held + i);
    free(held);
    return result;
}

#endif
