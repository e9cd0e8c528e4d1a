"""LLVM: from a module to object code, and from object code to functions of this process.

In: an `ir.Module`, or the object code that was made of one. Out: object code, its text, addresses. Invariant: object code holds no address
of the process that made it; what it takes from outside it names by symbols, which whoever loads it has made known before.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from jitad.codegen.elementary import LoopModule, ScalarModule, settle

_lock = threading.RLock()
_addresses: dict[str, int] = {}
_kept: tuple[Callable[[str], bytes | None], Callable[[str, bytes], None]] = (lambda name: None), (lambda name, code: None)


def create_target_machine(level: int = 3) -> llvm.TargetMachine:
    """Return the target: this CPU with all it can do, code for anywhere in memory; at a `level` of effort."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    relocation = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features(), opt=level, reloc=relocation, jit=True)


@functools.cache
def features() -> str:
    """Return what the CPU can do, as LLVM writes it."""
    return llvm.get_host_cpu_features().flatten()


def apart() -> str | None:
    """Return the attribute of functions that load elements at computed places, where the CPU does that faster one by one: AMD's do."""
    return f'"target-features"="{features()},+prefer-no-gather"' if llvm.get_host_cpu_name().startswith("znver") else None


def target() -> tuple[str, ...]:
    """Return what determines the code besides the module: LLVM and the CPU."""
    return llvmlite.__version__, str(llvm.llvm_version_info), llvm.get_process_triple(), llvm.get_host_cpu_name(), features()


@functools.cache
def target_machine(kernels: bool = False) -> llvm.TargetMachine:
    """Return the target; that of `kernels` apart, since LLVM keeps how the stack of the first module is aligned."""
    return create_target_machine()


def machine_of(module: ir.Module | str) -> llvm.TargetMachine:
    return target_machine(isinstance(module, LoopModule | ScalarModule))


@functools.cache
def engine() -> llvm.ExecutionEngine:
    """Return what holds all loaded code; it lives as long as the process."""
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), create_target_machine())


def verified(module: ir.Module | str) -> llvm.ModuleRef:
    """Return a module, or the text of one, as LLVM has it."""
    parsed = llvm.parse_assembly(str(module))
    parsed.triple, parsed.data_layout = llvm.get_process_triple(), str(target_machine().target_data)
    parsed.verify()
    return parsed


def optimized(module: ir.Module | str) -> llvm.ModuleRef:
    """Return a module, or the text of one, after LLVM's passes."""
    machine, parsed = machine_of(module), verified(module)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    settle(module, parsed, builder)
    return parsed


def object_code(module: ir.Module | str) -> bytes:
    with _lock:
        return machine_of(module).emit_object(optimized(module))


def direct_object_code(text: str) -> bytes:
    """Return the object code of a module that is as it should be, at once: LLVM's passes, and its best code, take longer than all the rest."""
    with _lock:
        return create_target_machine(level=0).emit_object(verified(text))


def keep_in(load: Callable[[str], bytes | None], store: Callable[[str, bytes], None]) -> None:
    """Say how code that all kernels share is kept from process to process."""
    global _kept
    _kept = load, store


def shared_code(name: str, text: Callable[[], str]) -> bytes:
    """Return the object code that goes by a name, from where it is kept, or of what ``text()`` gives."""
    load, store = _kept
    code = load(name)
    if code is None:
        code = direct_object_code(text())
        store(name, code)
    return code


def llvm_text(module: ir.Module) -> str:
    with _lock:
        return str(optimized(module))


def assembly_text(module: ir.Module) -> str:
    with _lock:
        return machine_of(module).emit_assembly(optimized(module))


def load(code: bytes, names: list[str]) -> list[int]:
    """Return the addresses of functions that object code defines. Code whose functions are there already is not loaded again."""
    with _lock:
        if names[0] not in _addresses:
            engine().add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
            engine().finalize_object()
            _addresses.update({name: engine().get_function_address(name) for name in names})
        return [_addresses[name] for name in names]
