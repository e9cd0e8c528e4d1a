"""Eigenvalues and eigenvectors of general matrices, by LAPACK's ``geev``, as complex numbers.

LAPACK gives those of a real matrix as real numbers: of a pair of conjugate eigenvectors, the real part and the imaginary part in two columns.
"""

from __future__ import annotations

from llvmlite import ir

from jitad.codegen.emission import room
from jitad.codegen.library import blas
from jitad.codegen.library.stacks import Pointer, clear, fail_by, fail_if, member, new_status, stack_of, transpose_copy
from jitad.codegen.loop import Loop
from jitad.codegen.scalars import I32, I64, memory_type
from jitad.lower.grammar.loops import Call


def emit_eig(builder, call: Call, pointer: Pointer) -> ir.Value:
    return emit_geev(builder, call, pointer, call.outputs[1])


def emit_eigvals(builder, call: Call, pointer: Pointer) -> ir.Value:
    return emit_geev(builder, call, pointer, None)


def emit_geev(builder, call: Call, pointer: Pointer, vectors) -> ir.Value:
    """Outputs are the eigenvalues, the eigenvectors if there are any, and what LAPACK works with: matrix, vectors, numbers, real numbers."""
    (a,), scratch = call.inputs, call.outputs[1 if vectors is None else 2 :]
    (type,) = call.input_types
    dtype = type.dtype
    count, n, _ = stack_of(type)
    status, info = new_status(builder), room(builder, I32)
    with Loop(builder, 0, count - 1) as k:
        source, values = member(builder, a, k, count, pointer), member(builder, call.outputs[0], k, count, pointer)
        matrix, columns, work, reals = (member(builder, x, k, count, pointer) for x in scratch)
        transpose_copy(builder, matrix, source, n, n, dtype)
        finite = is_finite(builder, source, n * n * (2 if dtype.kind == "c" else 1), memory_type(dtype))
        fail_if(builder, builder.not_(finite), status, call)
        with builder.if_then(finite, likely=True):
            job, room_of_work = "N" if vectors is None else "V", scratch[2].type.shape[-1]
            parts = [values] if dtype.kind == "c" else [reals, builder.gep(reals, [ir.Constant(I64, n)], source_etype=ir.DoubleType())]
            more = [reals] if dtype.kind == "c" else []
            blas.call(builder, "geev", dtype, "N", job, n, matrix, n, *parts, matrix, 1, columns, n, work, room_of_work, *more, info)
            fail_by(builder, info, status, call)
            if dtype.kind != "c":
                join_values(builder, values, *parts, n)
            if vectors is not None:
                target = member(builder, vectors, k, count, pointer)
                if dtype.kind == "c":
                    transpose_copy(builder, target, columns, n, n, dtype)
                else:
                    join_vectors(builder, target, columns, parts[1], n)
    clear(builder, scratch, pointer)
    return builder.load(status, typ=I32)


def is_finite(builder, numbers: ir.Value, count: int, type: ir.Type) -> ir.Value:
    """Whether all numbers are finite: their products with 0 add up to 0."""
    total = room(builder, type)
    builder.store(ir.Constant(type, 0.0), total)
    with Loop(builder, 0, count - 1) as i:
        x = builder.load(builder.gep(numbers, [i], source_etype=type), typ=type)
        builder.store(builder.fadd(builder.load(total, typ=type), builder.fmul(x, ir.Constant(type, 0.0))), total)
    return builder.fcmp_ordered("==", builder.load(total, typ=type), ir.Constant(type, 0.0))


def place(builder, base: ir.Value, *terms) -> ir.Value:
    """Return the address of the double at the sum of products of an index and an int."""
    position = ir.Constant(I64, 0)
    for index, factor in terms:
        position = builder.add(position, builder.mul(index, ir.Constant(I64, factor)))
    return builder.gep(base, [position], source_etype=ir.DoubleType())


def join_values(builder, values, real, imag, n: int) -> None:
    with Loop(builder, 0, n - 1) as i:
        for part, source in enumerate((real, imag)):
            x = builder.load(place(builder, source, (i, 1)), typ=ir.DoubleType())
            builder.store(x, place(builder, values, (i, 2), (ir.Constant(I64, part), 1)))


def join_vectors(builder, target, columns, imag, n: int) -> None:
    """Write column j of the eigenvectors: u + iv for the first of a pair, whose columns are u and v, u - iv for the second."""
    double, one, zero = ir.DoubleType(), ir.Constant(I64, 1), ir.Constant(I64, 0)
    with Loop(builder, 0, n - 1) as j:
        part = builder.load(place(builder, imag, (j, 1)), typ=double)
        first, second = (builder.fcmp_ordered(sign, part, ir.Constant(double, 0.0)) for sign in (">", "<"))
        u = builder.sub(j, builder.select(second, one, zero))
        v = builder.add(u, builder.select(builder.or_(first, second), one, zero))
        factor = builder.select(first, ir.Constant(double, 1.0), builder.select(second, ir.Constant(double, -1.0), ir.Constant(double, 0.0)))
        with Loop(builder, 0, n - 1) as i:
            x, y = (builder.load(place(builder, columns, (column, n), (i, 1)), typ=double) for column in (u, v))
            builder.store(x, place(builder, target, (i, 2 * n), (j, 2)))
            builder.store(builder.fmul(y, factor), place(builder, target, (i, 2 * n), (j, 2), (one, 1)))
