"""Integer semantics in one place: how kernels are compiled, saturation, rounding, activations."""

import numba

# One decorator for every kernel. error_model="numpy" drops the division checks; cache=True keeps
# the compiled code between runs. A kernel calls only kernels of its own file, because Numba does
# not notice that a callee in another file has changed.
kernel = numba.njit(cache=True, error_model="numpy", nogil=True)
