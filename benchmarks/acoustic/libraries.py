"""The acoustic misfit as an expert in JAX or Deepwave writes it.

Deepwave's absorbing layer is its own. Without one (`pml_width=0`) and without the sponge both compute the same, to rounding: the rim of our
grid, which stays zero, is what lies outside of Deepwave's. It takes the source times ``-velocity**2 * dt**2`` and records before each step.
"""

import numpy as np


def with_rule(jax, velocity, sponge, wavelet, observed, receivers, source, ratio):
    """The misfit with an adjoint of the loop by hand: one array is kept for each step, transposed slices are one gather."""
    jnp, inner = jax.numpy, (slice(2, -2), slice(2, -2))

    def laplacian(u):
        return (
            -5.0 * u[2:-2, 2:-2]
            + (4 / 3) * (u[1:-3, 2:-2] + u[3:-1, 2:-2] + u[2:-2, 1:-3] + u[2:-2, 3:-1])
            - (1 / 12) * (u[:-4, 2:-2] + u[4:, 2:-2] + u[2:-2, :-4] + u[2:-2, 4:])
        )

    def forward(c):
        def step(carry, amplitude):
            u_prev, u = carry
            found = laplacian(u)
            u_next = jnp.pad(2 * u[inner] - u_prev[inner] + c[inner] * found, 2).at[source, source].add(amplitude)
            return (u * sponge, u_next * sponge), (u_next[receivers, 4], found)

        _, (recorded, kept) = jax.lax.scan(step, (jnp.zeros_like(c), jnp.zeros_like(c)), wavelet)
        return recorded, (c, kept)

    def backward(residuals, recorded_bar):
        c, kept = residuals

        def step(carry, row):
            a, b, gradient = carry  # of the damped new field, of the damped old one
            bar, found = row
            a = (sponge * a).at[receivers, 4].add(bar)
            free = a[inner]
            gradient = gradient + free * found
            own = sponge * b + jnp.pad(2 * free + laplacian(jnp.pad(c[inner] * free, 2)), 2)
            before = jnp.pad(-free, 2)
            return (own, before, gradient), None

        start = jnp.zeros_like(c), jnp.zeros_like(c), jnp.zeros_like(c[inner])
        (_, _, gradient), _ = jax.lax.scan(step, start, (recorded_bar, kept), reverse=True)
        return (jnp.pad(gradient, 2),)

    receive = jax.custom_vjp(lambda c: forward(c)[0])
    receive.defvjp(forward, backward)
    return 0.5 * jnp.sum((receive((ratio * velocity) ** 2) - observed) ** 2)


def in_deepwave(torch, deepwave, velocity, wavelet, observed, receivers, source, ratio):
    """Return the misfit without a sponge, a function of a tensor."""
    inner = torch.from_numpy(np.ascontiguousarray(velocity[2:-2, 2:-2]))
    places = torch.from_numpy(np.stack([receivers - 2, np.full(len(receivers), 2)], axis=1)[None])
    shot, wanted = torch.tensor([[[source - 2, source - 2]]]), torch.from_numpy(observed)
    amplitudes = torch.from_numpy(np.append(wavelet, wavelet.dtype.type(0)))

    def misfit(velocity):
        scaled = amplitudes / -((velocity[source - 2, source - 2] * ratio) ** 2)
        *_, recorded = deepwave.scalar(
            velocity, 1.0, ratio, source_amplitudes=scaled[None, None], source_locations=shot, receiver_locations=places, accuracy=4, pml_width=0,
            courant_number=0.86, check_output_finite=False)  # fmt: skip
        return 0.5 * torch.sum((recorded[0].T[1:] - wanted) ** 2)

    return misfit, inner
