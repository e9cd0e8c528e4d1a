"""From loops to machine code: LLVM IR, optimized and compiled by llvmlite. The only folder that imports numba or llvmlite."""
