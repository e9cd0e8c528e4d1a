"""From loops to machine code: LLVM IR through llvmlite, inside a Numba intrinsic. The only folder that imports numba or llvmlite."""
