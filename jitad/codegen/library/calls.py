"""Library calls: matrix products, factorisations, sorting and constant tables, on whole arrays.

In: a `Call` and a function that gives the pointer of a buffer. Out: LLVM IR that runs it, matrix by matrix of a stack, and returns None or
a status (0, or the number of the failure). Arrays are row-major; the routines are column-major: each sees the transposes, and the
sides and triangles are exchanged accordingly, so that nothing is copied to turn it round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from jitad.codegen import printing
from jitad.codegen.emission import copy_bytes, room
from jitad.codegen.failures import call_number
from jitad.codegen.library import blas, eigenvalues, fourier, inner_products, matrix_vector
from jitad.codegen.library.sorting import emit_argsort
from jitad.codegen.library.stacks import (
    Pointer,
    clear,
    fail_by,
    fail_if,
    member,
    new_status,
    offset,
    stack_of,
    transpose_copy,
    transpose_in_place,
)
from jitad.codegen.loop import Loop
from jitad.codegen.scalars import I32, I64, POINTER
from jitad.ir.types import INT
from jitad.lower.fusion.products import Matrix, is_applied
from jitad.lower.grammar.loops import Call

Share = Callable[[int, Sequence[ir.Value], Callable], ir.Value]


def emit(builder: ir.IRBuilder, call: Call, pointer: Pointer, share: Share) -> ir.Value | None:
    """Emit `call`; the status it returns is None where it cannot fail. ``share(count, pointers, emit)`` has threads run it."""
    if 0 in call.outputs[0].type.shape:
        return None
    if call.shared and is_inline(call):
        pointers = [pointer(buffer) for buffer in (*call.inputs, *call.outputs)]
        share(call.params["x"].batch, pointers, lambda b, pointers, k: emit_matrix(b, call, pointers, k))
        return None
    return ROUTINES[call.routine](builder, call, pointer)


# --- products ---------------------------------------------------------------------------------------------------------------


def emit_gemm(builder, call: Call, pointer: Pointer) -> None:
    pointers = [pointer(buffer) for buffer in (*call.inputs, *call.outputs)]
    if is_inline(call):
        builder.call(function_of(call, builder.module), pointers)
    else:
        emit_matrices(builder, call, pointers)


def function_of(call: Call, module: ir.Module) -> ir.Function:
    """Return the function of products like these, which their calls in the module share: LLVM takes its time for each of them."""
    geometry = [(m.batch, m.rows, m.columns, m.row_stride, m.column_stride, m.batch_stride) for m in (call.params["x"], call.params["y"])]
    name = f"product {call.outputs[0].type.dtype} {geometry} {len(call.outputs)} {call.params['turned']}"
    known = module.globals.get(name)
    if known is not None:
        return known
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER] * (len(call.inputs) + len(call.outputs))), name)
    function.linkage = "internal"
    function.attributes.add("nounwind")
    for argument in function.args:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    emit_matrices(builder, call, function.args)
    builder.ret_void()
    return function


def emit_matrices(builder, call: Call, pointers: Sequence[ir.Value]) -> None:
    with Loop(builder, 0, call.params["x"].batch - 1) as k:
        emit_matrix(builder, call, pointers, k)


def emit_matrix(builder, call: Call, pointers: Sequence[ir.Value], k: ir.Value) -> None:
    """The product of the k-th matrices of two stacks, or of the first with several."""
    x, y = call.params["x"], call.params["y"]
    dtype = call.outputs[0].type.dtype
    count = len(call.outputs)
    strides = [x.batch_stride, *[y.batch_stride] * count, *[x.rows * y.columns] * count]
    left, *others = [offset(builder, base, builder.mul(k, ir.Constant(I64, stride)), dtype) for base, stride in zip(pointers, strides, strict=True)]
    if is_applied(x, y, dtype):
        apart = (x.rows, 1) if call.params["turned"] else (1, y.columns)
        factors = matrix_vector.vectors(builder, dtype, others[:count], y.columns, y.column_stride, y.row_stride)
        results = matrix_vector.vectors(builder, dtype, others[count:], y.columns, *apart)
        matrix_vector.emit_products(builder, dtype, x, left, factors, results)
        return
    right, out = others
    if call.params["turned"]:
        x, y, left, right = y.transposed, x.transposed, right, left
    emit = inner_products.emit_product if is_inline(call) else product
    emit(builder, dtype, x, y, left, right, out)


def is_inline(call: Call) -> bool:
    """Whether a call is of products that BLAS is not asked for, which has threads of its own."""
    dtype = call.outputs[0].type.dtype
    if call.routine != "gemm" or dtype.kind != "f":
        return False
    x, y = call.params["x"], call.params["y"]
    return is_applied(x, y, dtype) or bool(inner_products.tile(x, y))


def product(builder, dtype, x: Matrix, y: Matrix, left, right, out) -> None:
    """out^T = y^T x^T: what is row-major here is column-major there."""
    m, k, n = x.rows, x.columns, y.columns
    if n == 1:
        trans, rows, columns, ld = ("T", k, m, x.row_stride) if x.column_stride == 1 else ("N", m, k, x.column_stride)
        blas.call(builder, "gemv", dtype, trans, rows, columns, 1.0, left, max(ld, rows), right, y.row_stride, 0.0, out, 1)
    elif m == 1:
        trans, rows, columns, ld = ("N", n, k, y.row_stride) if y.column_stride == 1 else ("T", k, n, y.column_stride)
        blas.call(builder, "gemv", dtype, trans, rows, columns, 1.0, right, max(ld, rows), left, x.column_stride, 0.0, out, 1)
    else:
        first, ld_first = ("N", max(y.row_stride, n)) if y.column_stride == 1 else ("T", max(y.column_stride, k))
        second, ld_second = ("N", max(x.row_stride, k)) if x.column_stride == 1 else ("T", max(x.column_stride, m))
        blas.call(builder, "gemm", dtype, first, second, n, m, k, 1.0, right, ld_first, left, ld_second, 0.0, out, n)


# --- factorisations -----------------------------------------------------------------------------------------------------------


def emit_lu(builder, call: Call, pointer: Pointer) -> None:
    """Factor the transposed copy (column-major A), turn it back, and widen LAPACK's int32 pivots from 1 to int64 from 0."""
    (a,), (factors, pivots) = call.inputs, call.outputs
    (type,) = call.input_types
    dtype = type.dtype
    count, n, _ = stack_of(type)
    info = room(builder, I32)
    with Loop(builder, 0, count - 1) as k:
        source, out = (offset(builder, pointer(x), builder.mul(k, ir.Constant(I64, n * n)), dtype) for x in (a, factors))
        pivot = offset(builder, pointer(pivots), builder.mul(k, ir.Constant(I64, n)), INT)
        copy_bytes(builder, out, source, n * n * dtype.itemsize)
        transpose_in_place(builder, out, n, dtype)
        blas.call(builder, "getrf", dtype, n, n, out, n, pivot, info)
        transpose_in_place(builder, out, n, dtype)
        with Loop(builder, 0, n - 1) as i:
            back = builder.sub(ir.Constant(I64, n - 1), i)
            narrow = builder.load(builder.gep(pivot, [back], source_etype=I32), typ=I32)
            wide = builder.sub(builder.sext(narrow, I64), ir.Constant(I64, 1))
            builder.store(wide, builder.gep(pivot, [back], source_etype=I64))


def emit_lu_solve(builder, call: Call, pointer: Pointer) -> ir.Value:
    """x^T = b'^T L^-T U^-T with the rows of b exchanged first, or for the adjoint the reverse."""
    _, factors, pivots, b = call.inputs
    (type,) = call.output_types
    dtype, adjoint = type.dtype, call.params["adjoint"]
    count, n, columns = stack_of(type)
    copy_bytes(builder, pointer(call.outputs[0]), pointer(b), b.nbytes)
    status = new_status(builder)
    with Loop(builder, 0, count - 1) as k:
        matrix = offset(builder, pointer(factors), builder.mul(k, ir.Constant(I64, n * n)), dtype)
        pivot = offset(builder, pointer(pivots), builder.mul(k, ir.Constant(I64, n)), INT)
        x = offset(builder, pointer(call.outputs[0]), builder.mul(k, ir.Constant(I64, n * columns)), dtype)
        fail_on_zero_diagonal(builder, matrix, n, dtype, status, call)
        lower = ("R", "U", "C" if adjoint else "N", "U", columns, n, 1.0, matrix, n, x, columns)
        upper = ("R", "L", "C" if adjoint else "N", "N", columns, n, 1.0, matrix, n, x, columns)
        if not adjoint:
            exchange_rows(builder, x, pivot, n, columns, dtype, backward=False)
        for factor in (upper, lower) if adjoint else (lower, upper):
            blas.call(builder, "trsm", dtype, *factor)
        if adjoint:
            exchange_rows(builder, x, pivot, n, columns, dtype, backward=True)
    return builder.load(status, typ=I32)


def exchange_rows(builder, x, pivot, n: int, columns: int, dtype, backward: bool) -> None:
    element = ir.IntType(8 * dtype.itemsize)
    with Loop(builder, 0, n - 1) as step:
        i = builder.sub(ir.Constant(I64, n - 1), step) if backward else step
        other = builder.load(builder.gep(pivot, [i], source_etype=I64), typ=I64)
        with Loop(builder, 0, columns - 1) as j:
            one, two = (
                builder.gep(x, [builder.add(builder.mul(row, ir.Constant(I64, columns)), j)], source_etype=element) for row in (i, other)
            )
            a, b = builder.load(one, typ=element, align=1), builder.load(two, typ=element, align=1)
            builder.store(b, one, align=1)
            builder.store(a, two, align=1)


def emit_triangular_solve(builder, call: Call, pointer: Pointer) -> ir.Value:
    a, b = call.inputs
    (type,) = call.output_types
    dtype, params = type.dtype, call.params
    count, n, columns = stack_of(type)
    copy_bytes(builder, pointer(call.outputs[0]), pointer(b), b.nbytes)
    status = new_status(builder)
    with Loop(builder, 0, count - 1) as k:
        matrix = offset(builder, pointer(a), builder.mul(k, ir.Constant(I64, n * n)), dtype)
        x = offset(builder, pointer(call.outputs[0]), builder.mul(k, ir.Constant(I64, n * columns)), dtype)
        if not params["unit"]:
            fail_on_zero_diagonal(builder, matrix, n, dtype, status, call)
        triangle, operation, diagonal = ("U" if params["lower"] else "L", "C" if params["adjoint"] else "N", "U" if params["unit"] else "N")
        blas.call(builder, "trsm", dtype, "R", triangle, operation, diagonal, columns, n, 1.0, matrix, n, x, columns)
    return builder.load(status, typ=I32)


def emit_cholesky(builder, call: Call, pointer: Pointer) -> ir.Value:
    """The row-major lower triangle is LAPACK's upper one; what lies beyond the diagonal is zeroed."""
    (a,), (factor,) = call.inputs, call.outputs
    (type,) = call.input_types
    dtype = type.dtype
    count, n, _ = stack_of(type)
    copy_bytes(builder, pointer(factor), pointer(a), a.nbytes)
    status = new_status(builder)
    info = room(builder, I32)
    element = ir.IntType(8 * dtype.itemsize)
    with Loop(builder, 0, count - 1) as k:
        out = offset(builder, pointer(factor), builder.mul(k, ir.Constant(I64, n * n)), dtype)
        blas.call(builder, "potrf", dtype, "U", n, out, n, info)
        fail_by(builder, info, status, call)
        with Loop(builder, 0, n - 1) as i, Loop(builder, 0, n - 1) as j, builder.if_then(builder.icmp_signed(">", j, i)):
            place = builder.gep(out, [builder.add(builder.mul(i, ir.Constant(I64, n)), j)], source_etype=element)
            builder.store(ir.Constant(element, 0), place, align=1)
    return builder.load(status, typ=I32)


def emit_definite(builder, call: Call, pointer: Pointer) -> None:
    """Whether LAPACK finds the factor; what it has found is zeroed."""
    (a,), (found, factor) = call.inputs, call.outputs
    (type,) = call.input_types
    count, n, _ = stack_of(type)
    copy_bytes(builder, pointer(factor), pointer(a), a.nbytes)
    info = room(builder, I32)
    builder.store(ir.Constant(I32, 0), info)
    with Loop(builder, 0, count - 1) as k:
        if n:
            out = offset(builder, pointer(factor), builder.mul(k, ir.Constant(I64, n * n)), type.dtype)
            blas.call(builder, "potrf", type.dtype, "U", n, out, n, info)
        holds = builder.icmp_signed("==", builder.load(info, typ=I32), ir.Constant(I32, 0))
        builder.store(builder.zext(holds, I64), builder.gep(pointer(found), [k], source_etype=I64))
    clear(builder, [factor], pointer)


def emit_eigh(builder, call: Call, pointer: Pointer) -> ir.Value:
    """LAPACK takes the matrix by columns and leaves its eigenvectors in them; what it has worked with is zeroed."""
    (a,), (values, vectors, *scratch) = call.inputs, call.outputs
    (type,) = call.input_types
    dtype = type.dtype
    count, n, _ = stack_of(type)
    copy_bytes(builder, pointer(vectors), pointer(a), a.nbytes)
    status, info = new_status(builder), room(builder, I32)
    with Loop(builder, 0, count - 1) as k:
        found, matrix, *rooms = (member(builder, x, k, count, pointer) for x in (values, vectors, *scratch))
        sizes = [x.type.shape[-1] for x in scratch]
        transpose_in_place(builder, matrix, n, dtype)
        routine = "heevd" if dtype.kind == "c" else "syevd"
        work = [operand for pair in zip(rooms, sizes, strict=True) for operand in pair]
        blas.call(builder, routine, dtype, "V", call.params["uplo"], n, matrix, n, found, *work, info)
        fail_by(builder, info, status, call)
        transpose_in_place(builder, matrix, n, dtype)
    clear(builder, scratch, pointer)
    return builder.load(status, typ=I32)


def emit_svd(builder, call: Call, pointer: Pointer) -> ir.Value:
    (a,), (u, s, vh, *scratch) = call.inputs, call.outputs
    (type,) = call.input_types
    dtype = type.dtype
    count, m, n = stack_of(type)
    left, right = u.type.shape[-1], vh.type.shape[-2]
    status, info = new_status(builder), room(builder, I32)
    with Loop(builder, 0, count - 1) as k:
        source, left_vectors, values, right_vectors = (member(builder, x, k, count, pointer) for x in (a, u, s, vh))
        turned, *rooms = (member(builder, x, k, count, pointer) for x in scratch)
        by_columns = rooms[:2]
        transpose_copy(builder, turned, source, m, n, dtype)
        work = [rooms[2], scratch[3].type.shape[-1], *rooms[3:]]
        job = "A" if max(left, right) > min(m, n) else "S"
        blas.call(builder, "gesdd", dtype, job, m, n, turned, m, values, by_columns[0], m, by_columns[1], right, *work, info)
        fail_by(builder, info, status, call)
        transpose_copy(builder, left_vectors, by_columns[0], left, m, dtype)
        transpose_copy(builder, right_vectors, by_columns[1], n, right, dtype)
    clear(builder, scratch, pointer)
    return builder.load(status, typ=I32)


def emit_svdvals(builder, call: Call, pointer: Pointer) -> ir.Value:
    """The singular values of the transposes, which are the same."""
    (a,), (s, matrices, *scratch) = call.inputs, call.outputs
    (type,) = call.input_types
    dtype = type.dtype
    count, m, n = stack_of(type)
    copy_bytes(builder, pointer(matrices), pointer(a), a.nbytes)
    status, info = new_status(builder), room(builder, I32)
    with Loop(builder, 0, count - 1) as k:
        values, matrix, work, *rooms = (member(builder, x, k, count, pointer) for x in (s, matrices, *scratch))
        blas.call(builder, "gesdd", dtype, "N", n, m, matrix, n, values, work, n, work, m, work, scratch[0].type.shape[-1], *rooms, info)
        fail_by(builder, info, status, call)
    clear(builder, (matrices, *scratch), pointer)
    return builder.load(status, typ=I32)


def emit_qr(builder, call: Call, pointer: Pointer) -> None:
    """Factor the matrix by columns; its upper triangle is R, and LAPACK makes Q of what is below."""
    (a,), (q, r, *scratch) = call.inputs, call.outputs
    (type,) = call.input_types
    dtype = type.dtype
    count, m, n = stack_of(type)
    info, element = room(builder, I32), ir.IntType(8 * dtype.itemsize)
    with Loop(builder, 0, count - 1) as k:
        source, orthogonal, upper = (member(builder, x, k, count, pointer) for x in (a, q, r))
        turned, scales, work = (member(builder, x, k, count, pointer) for x in scratch)
        operands = turned, m, scales, work, scratch[-1].type.shape[-1], info
        transpose_copy(builder, turned, source, m, n, dtype)
        blas.call(builder, "geqrf", dtype, m, n, *operands)
        with Loop(builder, 0, n - 1) as i, Loop(builder, 0, n - 1) as j:
            place = builder.gep(turned, [builder.add(builder.mul(j, ir.Constant(I64, m)), i)], source_etype=element)
            value = builder.select(builder.icmp_signed("<=", i, j), builder.load(place, typ=element, align=1), ir.Constant(element, 0))
            builder.store(value, builder.gep(upper, [builder.add(builder.mul(i, ir.Constant(I64, n)), j)], source_etype=element), align=1)
        blas.call(builder, "ungqr" if dtype.kind == "c" else "orgqr", dtype, m, n, n, *operands)
        transpose_copy(builder, orthogonal, turned, n, m, dtype)
    clear(builder, scratch, pointer)


def fail_on_zero_diagonal(builder, matrix, n: int, dtype, status, call: Call) -> None:
    element = ir.DoubleType() if dtype.char in "dD" else ir.FloatType()
    parts = 2 if dtype.kind == "c" else 1
    with Loop(builder, 0, n - 1) as i:
        position = builder.mul(i, ir.Constant(I64, (n + 1) * parts))
        zeros = []
        for part in range(parts):
            place = builder.gep(matrix, [builder.add(position, ir.Constant(I64, part))], source_etype=element)
            zeros.append(builder.fcmp_ordered("==", builder.load(place, typ=element), ir.Constant(element, 0.0)))
        fail_if(builder, builder.and_(zeros[0], zeros[-1]), status, call)


# --- tables -------------------------------------------------------------------------------------------------------------------


def emit_table(builder, call: Call, pointer: Pointer) -> None:
    values = call.params["values"]
    table = ir.GlobalVariable(builder.module, ir.ArrayType(I64, len(values)), builder.module.get_unique_name("jitad.table"))
    table.linkage, table.global_constant = "internal", True
    table.initializer = ir.Constant(table.value_type, list(values))
    copy_bytes(builder, pointer(call.outputs[0]), table, call.outputs[0].nbytes)


def emit_line(builder, call: Call, pointer: Pointer) -> ir.Value:
    return printing.emit_print(builder, call, pointer, call_number(call))


ROUTINES = {
    "gemm": emit_gemm, "lu": emit_lu, "lu_solve": emit_lu_solve, "triangular_solve": emit_triangular_solve, "cholesky": emit_cholesky,
    "definite": emit_definite,
    "eigh": emit_eigh, "svd": emit_svd, "svdvals": emit_svdvals, "qr": emit_qr, "argsort": emit_argsort, "table": emit_table, "print": emit_line,
    "fft": fourier.emit_transform, "rfft": fourier.emit_transform, "irfft": fourier.emit_transform,
    "eig": eigenvalues.emit_eig, "eigvals": eigenvalues.emit_eigvals,
}  # fmt: skip
