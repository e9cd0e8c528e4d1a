"""Random NumPy programs, drawn with Hypothesis: a helper of the differential tests.

A drawn program is Python source (so that a failure prints as something to read and to run) with the arrays to call it on. Each line is
evaluated with NumPy while the program is drawn, and kept only if its values are finite and of moderate size.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

MOST_ELEMENTS = 400
LARGEST = 1e3
NAME = re.compile(r"\b[vxc]\d+\b")
EXTENTS = [2, 3, 4, 1, 5, 8, 9, 12, 0]
DTYPES = ["d", "d", "d", "d", "f", "D", "l", "?", "i"]


@dataclass
class Given:
    """A function and the arrays to call it on; `single` says that something is computed in single precision."""

    function: Callable
    arrays: list
    single: bool = False


class RandomProgram(Given):
    """What `source` defines; `constants` are the arrays that it reads from outside."""

    def __init__(self, source: str, arrays: list, constants: dict):
        namespace = {"np": np, **constants}
        exec(source, namespace)
        single = "32" in source or "complex64" in source or any(x.dtype.char in "fF" for x in arrays)
        super().__init__(namespace["program"], arrays, single)
        self.source, self.constants = source, constants

    def __repr__(self) -> str:
        values = [f"{name} = np.{array!r}" for name, array in self.constants.items()]
        values += [f"x{k} = np.{array!r}" for k, array in enumerate(self.arrays)]
        return "\n".join([self.source, *values])


class Writer:
    """A program under construction: its lines, and the value of each name; ``draw(strategy)`` makes the choices."""

    def __init__(self, draw):
        self.draw = draw
        self.lines: list[str] = []
        self.constants: dict[str, np.ndarray] = {}
        self.values: dict[str, np.ndarray] = {}

    def choose(self, *options):
        return self.draw(st.sampled_from(options))

    def integer(self, low, high):
        return self.draw(st.integers(low, high))

    def flag(self):
        return self.draw(st.booleans())

    def permutation(self, count) -> tuple[int, ...]:
        return tuple(self.draw(st.permutations(range(count))))

    def numbers(self) -> np.random.Generator:
        return np.random.default_rng(self.integer(0, 999))

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def pick(self, *kinds, condition=lambda x: True) -> str | None:
        """Choose a value, late ones more often, of one of these kinds of dtype."""
        names = [n for n, x in self.values.items() if (not kinds or x.dtype.kind in kinds[0]) and condition(x)]
        return self.choose(*names[::-1]) if names else None

    def assign(self, *lines: str) -> str | None:
        """Append lines that define `{v}` unless NumPy's values of it are out of bounds; return its name."""
        name = f"v{len(self.lines)}"
        text = "; ".join(lines).replace("{v}", name)
        namespace = {"np": np, **self.constants, **self.values}
        try:
            with np.errstate(all="raise", under="ignore"):
                exec(text, namespace)
        except (FloatingPointError, RuntimeWarning):
            return None
        value = np.asarray(namespace[name])
        if value.size > MOST_ELEMENTS or not np.all(np.isfinite(value)) or np.any(np.abs(value.astype("D")) > LARGEST):
            return None
        self.lines.append(text)
        self.values[name] = namespace[name]
        return name


# --- elementwise ------------------------------------------------------------------------------------------------------------

SMOOTH = ["np.sin({x})", "np.cos({x})", "np.tanh({x})", "np.exp(np.tanh({x}))", "{x} * {x}", "{x}**3", "-{x}", "{x} * 0.5", "1.5 - {x}",
          "np.square({x})", "{x} / 2.5", "1 / (3.5 + np.sin({x}))", "2.0 + {x}", "np.sinh(np.sin({x}))", "{x}**2"]  # fmt: skip
REAL = ["np.sqrt(0.5 + {x} * {x})", "np.log(1.5 + np.abs({x}))", "np.arctan({x})", "np.abs({x})", "np.maximum({x}, 0.13)",
        "np.minimum({x}, -0.31)", "np.clip({x}, -0.71, 0.83)", "np.floor({x} * 1.37 + 0.111)", "np.sign({x} - 0.123)",
        "np.where({x} > 0.217, {x}, 0.25 * {x})", "np.where({x} > 0.317, np.sqrt(np.abs({x})), 0.0)", "(1.2 + np.abs({x}))**1.7",
        "np.log1p({x} * {x})", "np.expm1(np.tanh({x}))", "np.cbrt(2.0 + np.abs({x}))", "{x} * 1j", "np.arcsin(np.sin({x}) * 0.9)",
        "np.logaddexp({x}, 0.4)", "np.heaviside({x} - 0.17, 0.5)", "np.hypot({x}, 1.1)", "np.fmod({x} * 1.37, 0.77)",
        "np.mod({x} * 1.37, 0.77)", "2.0**np.tanh({x})", "np.nan_to_num({x})", "np.arcsinh({x})"]  # fmt: skip
COMPLEX = ["{x}.real", "{x}.imag", "np.conj({x})", "np.abs({x})", "np.exp(1j * {x}.real)", "np.sqrt({x} + 4.0)", "np.log({x} + 5.0)",
           "np.angle({x} + 5.0)", "np.real({x} * np.conj({x}))"]  # fmt: skip
INTEGER = ["{x} % 3", "{x} // 2", "np.abs({x})", "{x} + 1", "{x} * 2 - 1", "-{x}", "{x} > 1", "np.minimum({x}, 2)", "{x} * 0.5", "{x}**2"]
BOOLEAN = ["~{x}", "np.where({x}, 1.5, -0.5)", "{x} * 2.5", "{x}.astype('l')", "np.logical_not({x})"]
BINARY = ["{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} / (2.5 + np.sin({y}))", "{x} * {y} + {x}", "{x} + 2.0 * {y}", "np.multiply({x}, {y})"]
REAL_BINARY = ["np.maximum({x}, {y})", "np.minimum({x}, {y})", "np.hypot({x}, {y} + 9.5)", "np.arctan2({x}, 1.5 + {y} * {y})",
               "np.where({x} > {y} + 0.137, {x}, {y})", "np.logaddexp({x}, {y})", "{x} > {y} + 0.091", "(1.1 + np.abs({x}))**np.tanh({y})",
               "np.copysign({x}, {y} + 0.077)", "{x} % (1.3 + np.abs({y}))", "np.fmin({x}, {y})"]  # fmt: skip


def unary(w: Writer):
    x = w.pick()
    kind = w.values[x].dtype.kind
    rows = {"f": SMOOTH + REAL, "c": SMOOTH + COMPLEX, "i": INTEGER, "b": BOOLEAN}[kind]
    return w.assign("{v} = " + w.choose(*rows).format(x=x))


def binary(w: Writer):
    x = w.pick("fci")
    if x is None:
        return None
    y = w.pick("fci", condition=lambda y: broadcastable(y.shape, w.values[x].shape))
    real = all(w.values[n].dtype.kind == "f" for n in (x, y))
    return w.assign("{v} = " + w.choose(*BINARY, *(REAL_BINARY if real else ())).format(x=x, y=y))


def broadcastable(x, y) -> bool:
    try:
        return math.prod(np.broadcast_shapes(x, y)) <= MOST_ELEMENTS
    except ValueError:
        return False


def outer(w: Writer):
    x, y = w.pick("fc", condition=lambda x: x.ndim < 3), w.pick("fc", condition=lambda x: x.ndim < 2)
    if x is None or y is None:
        return None
    sign = w.choose("*", "-", "+")
    lead = ", ".join(["..."] + ["None"] * w.values[y].ndim)
    return w.assign(f"{{v}} = {x}[{lead}] {sign} {y}")


def masks(w: Writer):
    x = w.pick("fc")
    if x is None:
        return None
    like = w.values[x].shape
    m = w.pick("b", condition=lambda m: broadcastable(m.shape, like))
    other = w.pick("fc", condition=lambda y: broadcastable(y.shape, like))
    if m is None:
        return w.assign(f"{{v}} = np.real({x}) > {w.choose(0.11, -0.42, 0.77)}")
    if not broadcastable(np.broadcast_shapes(w.values[m].shape, like), w.values[other].shape):
        return None
    return w.assign(w.choose(f"{{v}} = np.where({m}, {x}, {other})", f"{{v}} = {x} * {m}", f"{{v}} = np.where({m}, {x}, 0.5)",
                             f"{{v}} = np.where({m}, {x} / (1.5 + np.sin({other})), {other})"))


def casts(w: Writer):
    x = w.pick()
    kind = w.values[x].dtype.kind
    targets = {"f": ["float32", "float64", "complex128", "complex64"], "c": ["complex64", "complex128"], "i": ["float64", "int32"],
               "b": ["float64", "int64"]}[kind]  # fmt: skip
    if kind == "f" and w.flag():
        return w.assign(f"{{v}} = ({x} * 1.37 + 0.113).astype('int64')")
    return w.assign(f"{{v}} = {x}.astype('{w.choose(*targets)}')")


# --- shaping ----------------------------------------------------------------------------------------------------------------


def slices(w: Writer):
    x = w.pick(condition=lambda x: x.ndim > 0)
    if x is None:
        return None
    parts = []
    for extent in w.values[x].shape:
        kind = w.integer(0, 6)
        if kind == 0 and extent:
            parts.append(str(w.integer(-extent, extent - 1)))
        elif kind == 1:
            parts.append("::-1")
        elif kind == 2:
            parts.append(f"::{w.choose(2, 3, -2)}")
        elif kind == 3:
            parts += ["None", ":"]
        elif kind == 4:
            parts.append(f"{w.choose(1, 2)}:")
        elif kind == 5:
            parts.append(f":-{w.choose(1, 2)}")
        else:
            parts.append(f"{w.integer(0, extent)}:{w.integer(0, extent)}")
    if w.flag():
        parts = parts[: w.integer(0, len(parts))] or ["..."]
    return w.assign(f"{{v}} = {x}[{', '.join(parts)}]")


def shape_changes(w: Writer):
    x = w.pick()
    array = w.values[x]
    ndim, size = array.ndim, array.size
    axis = w.integer(-ndim, ndim - 1) if ndim else 0
    options = [f"np.transpose({x}, {w.permutation(ndim)})", f"{x}.ravel()", f"np.expand_dims({x}, {w.integer(0, ndim)})",
               f"{x}.reshape({factorise(w, size)})", f"np.broadcast_to({x}, {(w.choose(2, 3, 1), *array.shape)})", f"np.squeeze({x})"]
    if ndim:
        options += [f"np.flip({x}, {axis})", f"np.roll({x}, {w.integer(-4, 4)}, {axis})", f"np.repeat({x}, {w.choose(2, 3)}, {axis})",
                    f"np.moveaxis({x}, {axis}, 0)", f"np.tile({x}, {w.choose(2, (2, 1), 3)})", f"np.roll({x}, {w.integer(-4, 4)})"]
    if ndim > 1:
        options += [f"{x}.T", f"np.swapaxes({x}, 0, -1)", f"np.diagonal({x})", f"np.tril({x})", f"np.triu({x}, 1)"]
    if ndim == 1:
        options += [f"np.diag({x})"]
    return w.assign("{v} = " + w.choose(*options))


def factorise(w: Writer, size: int) -> tuple:
    if size == 0:
        return w.choose((0,), (0, 3), (2, 0))
    shape = []
    while size > 1 and len(shape) < 3:
        extent = w.choose(*[k for k in range(1, size + 1) if size % k == 0])
        shape.append(extent)
        size //= extent
    return (*shape, size)


def joins(w: Writer):
    x = w.pick("fc", condition=lambda x: x.ndim > 0)
    if x is None:
        return None
    shape, ndim = w.values[x].shape, w.values[x].ndim
    axis = w.integer(0, ndim - 1)
    rest = shape[:axis] + shape[axis + 1 :]
    y = w.pick("fci", condition=lambda y: y.ndim == ndim and y.shape[:axis] + y.shape[axis + 1 :] == rest)
    same = w.pick("fc", condition=lambda y: y.shape == shape)
    widths = [(w.integer(0, 3), w.integer(0, 3)) for _ in shape]
    options = [f"np.concatenate([{x}, {y}], {axis})", f"np.concatenate([{y}, {x}, {x}], {axis})", f"np.stack([{x}, {same}], {axis})",
               f"np.pad({x}, {widths})", f"np.append({x}, {y})", f"np.concatenate([{x}, np.ones({shape}), {x}], {axis})"]
    if 0 not in shape:
        options += [f"np.pad({x}, {widths}, mode='edge')", f"np.pad({x}, {widths}, mode='wrap')"]
    return w.assign("{v} = " + w.choose(*options))


# --- reductions -------------------------------------------------------------------------------------------------------------


def axes_of(w: Writer, ndim: int) -> str:
    kind = w.integer(0, 2)
    if not ndim or kind == 0:
        return "None"
    if kind == 1:
        return str(w.integer(-ndim, ndim - 1))
    return str(w.permutation(ndim)[: w.integer(1, ndim)])


def reductions(w: Writer):
    x = w.pick()
    array = w.values[x]
    axis, keep = axes_of(w, array.ndim), w.flag()
    names = ["sum", "sum", "sum"]
    if 0 not in array.shape:
        names += ["mean"] + (["max", "min"] if array.dtype.kind in "fib" else []) + (["var"] if array.dtype.kind in "fc" else [])
        names += ["prod"] if array.size <= 12 and array.dtype.kind in "fc" else []
    names += ["any", "all"] if array.dtype.kind == "b" else []
    text = f"np.{w.choose(*names)}({x}, axis={axis}, keepdims={keep})"
    if array.dtype.kind == "f" and array.size and axis in ("None", "0", "-1") and w.integer(0, 5) == 0:
        text = w.choose(f"np.linalg.norm({x}.ravel() + 0.5)", f"np.std({x} + np.arange({array.shape[-1] if array.ndim else 1}) * 0.5)",
                        f"np.argmax({x})", f"np.argmin({x})")
    return w.assign("{v} = " + text)


def running(w: Writer):
    x = w.pick("fci", condition=lambda x: x.ndim > 0)
    if x is None:
        return None
    axis = w.integer(-w.values[x].ndim, w.values[x].ndim - 1)
    options = [f"np.cumsum({x}, {axis})", f"np.cumsum({x}[::-1], {axis})", f"np.diff({x}, axis={axis})"]
    if w.values[x].dtype.kind == "f":
        options += [f"np.cumprod({x}, {axis})", f"np.maximum.accumulate({x}, {axis})", f"np.cumprod(1.0 + 0.1 * {x}, {axis})",
                    f"np.sort({x}, {axis})"]
        if 0 not in w.values[x].shape:
            options += [f"np.take_along_axis({x}, np.argsort({x}, {axis}), {axis})"]
    return w.assign("{v} = " + w.choose(*options))


# --- indices ----------------------------------------------------------------------------------------------------------------


def index_for(w: Writer, extent: int, shape: tuple) -> str:
    """Return an index array: a constant, or an integer value of the program brought into range."""
    traced = w.pick("i", condition=lambda i: i.shape == shape)
    if traced is not None and w.flag():
        return f"{traced} % {extent}"
    return w.constant(w.numbers().integers(-extent, extent, shape))


def gathers(w: Writer):
    x = w.pick(condition=lambda x: x.ndim > 0 and 0 not in x.shape)
    if x is None:
        return None
    shape = w.values[x].shape
    where = w.choose((3,), (2, 2), (), (5,), (2, 9))
    first = index_for(w, shape[0], where)
    options = [f"{x}[{first}]", f"np.take({x}, {first}, axis=0)", f"{x}[..., {index_for(w, shape[-1], where)}]"]
    if len(shape) > 1:
        second = index_for(w, shape[1], where)
        options += [f"{x}[{first}, {second}]", f"{x}[::-1, {second}]", f"{x}[{first}, 0]"]
    mask = w.numbers().random(shape[0]) < 0.6
    options.append(f"{x}[{w.constant(mask)}]")
    return w.assign("{v} = " + w.choose(*options))


def writes(w: Writer):
    """In-place changes of a copy."""
    x = w.pick("fc", condition=lambda x: x.ndim > 0 and 0 not in x.shape)
    if x is None:
        return None
    array = w.values[x]
    shape = array.shape
    kinds = "fc" if array.dtype.kind == "c" else "f"
    row = w.pick(kinds, condition=lambda y: fits(y.shape, shape[1:]) and y.dtype.itemsize <= array.dtype.itemsize)
    row = row if row is not None else "1.5"
    start, step, place = w.integer(0, shape[0] - 1), w.choose(1, 2, -1, -2), w.integer(0, shape[0] - 1)
    many = w.constant(w.numbers().integers(-shape[0], shape[0], w.choose((4,), (2, 3), (2, 9))))
    mask = w.constant(w.numbers().random(shape) < 0.5)
    change = w.choose(
        f"{{v}}[{place}] = {row}", f"{{v}}[{start}::{step}] = {row}", f"{{v}}[{start}::{step}] += {row}", f"{{v}}[{start}::{step}] *= 0.5",
        f"{{v}}[{many}] = {row}", f"np.add.at({{v}}, {many}, {row})", f"{{v}}[{many}] *= 2.0", f"{{v}}[{mask}] = 0.25",
        f"{{v}}[{mask}] *= -0.5", f"{{v}} += {row}", "part = {v}[::2]; part *= 0.5", f"{{v}}[..., {w.integer(0, shape[-1] - 1)}] -= 1.5",
        f"np.add.at({{v}}, {many}, {x}[{many}])", f"{{v}}[{many}] = {x}[0] * {x}[{many}]", f"{{v}}[{many}] = np.sin({x}[{many}][::-1])",
        "{v}[1:] += {v}[:-1]", f"{{v}}[np.real({x}) > 0.123] = 0.0",
    )  # fmt: skip
    return w.assign(f"{{v}} = {x}.copy()", change)


def fits(y: tuple, shape: tuple) -> bool:
    try:
        return np.broadcast_shapes(y, shape) == shape
    except ValueError:
        return False


# --- products ---------------------------------------------------------------------------------------------------------------


def products(w: Writer):
    x = w.pick("fc", condition=lambda x: x.ndim > 0)
    if x is None:
        return None
    shape = w.values[x].shape
    y = w.pick("fc", condition=lambda y: y.ndim > 0 and y.shape[max(y.ndim - 2, 0)] == shape[-1])
    options = [f"np.vdot({x}, {x})", f"np.einsum('...i,...i->...', {x}, {x})", f"np.outer({x}, {x}[:1])", f"np.inner({x}, {x})"]
    if y is not None:
        both = w.values[y].ndim > 1 and len(shape) > 1
        options += [f"np.dot({x}, {y})"] + ([] if both and not stacks(shape[:-2], w.values[y].shape[:-2]) else [f"{x} @ {y}"] * 3)
    if len(shape) == 2:
        options += [f"{x} @ {x}.T", f"{x}.T @ {x}", f"np.einsum('ij,kj->ik', {x}, {x})", f"np.einsum('ij->j', {x})",
                    f"np.einsum('ij,ij->i', {x}, {x})", f"np.tensordot({x}, {x}, 2)"]
        if shape[0] == shape[1]:
            options += [f"np.einsum('ii->i', {x})", f"np.trace({x})"]
            if shape[0]:
                options += [f"np.linalg.solve({x} + 9.0 * np.eye({shape[0]}), {x})", f"np.linalg.inv({x} + 9.0 * np.eye({shape[0]}))",
                            f"np.linalg.det({x} / 3.0 + np.eye({shape[0]}))"]
    if len(shape) == 3:
        options += [f"np.einsum('ijk->ki', {x})", f"np.einsum('ijk,ilk->ijl', {x}, {x})", f"np.einsum('ijk,ijl->kl', {x}, {x})"]
    return w.assign("{v} = " + w.choose(*options))


def stacks(x, y) -> bool:
    return broadcastable(x, y)


STEPS = [unary, unary, binary, binary, binary, outer, masks, casts, slices, slices, slices, shape_changes, shape_changes, joins,
         joins, reductions, reductions, reductions, running, gathers, writes, writes, products]  # fmt: skip


def random_array(w: Writer) -> np.ndarray:
    shape = tuple([w.choose(*EXTENTS) for _ in range(w.integer(0, 3))])
    while math.prod(shape) > 150:
        shape = shape[1:]
    rng, dtype = w.numbers(), w.choose(*DTYPES)
    if dtype == "?":
        return rng.random(shape) < 0.5
    if dtype in "li":
        return rng.integers(-4, 9, shape).astype(dtype)
    values = rng.uniform(-2, 2, shape)
    return np.asarray(values + 1j * rng.uniform(-2, 2, shape) if dtype == "D" else values).astype(dtype)


def write_program(w: Writer, steps: int) -> RandomProgram:
    """Return a program of up to `steps` lines with one to three inputs and one to four results."""
    arrays = [random_array(w) for _ in range(w.integer(1, 3))]
    w.values = {f"x{k}": x for k, x in enumerate(arrays)}
    for _ in range(steps):
        w.choose(*STEPS)(w)
    outputs = [*list(w.values)[-w.integer(1, 3) :], *[w.pick() for _ in range(w.integer(0, 2))]]
    if w.integer(0, 9) == 0:
        outputs.append(w.choose("2.5", "np.float32(1.5)", *w.constants))
    return assemble(w.lines, outputs, arrays, w.constants)


def assemble(lines: list[str], outputs: list[str], arrays: list, constants: dict) -> RandomProgram:
    """Return the program of the lines that the outputs need."""
    needed, kept = set(outputs), []
    for line in reversed(lines):
        if line.split(" = ")[0] in needed:
            kept.append(line)
            needed.update(NAME.findall(line))
    body = [*kept[::-1], f"return {', '.join(outputs)},"]
    source = f"def program({', '.join(f'x{k}' for k in range(len(arrays)))}):\n" + "".join(f"    {line}\n" for line in body)
    return RandomProgram(source, arrays, {name: array for name, array in constants.items() if name in needed})


@st.composite
def programs(draw, most_steps: int = 16) -> RandomProgram:
    """Draw a program of up to `most_steps` lines, less those that are out of bounds or turn out not to be needed."""
    w = Writer(draw)
    return write_program(w, most_steps - w.integer(0, most_steps // 2))
