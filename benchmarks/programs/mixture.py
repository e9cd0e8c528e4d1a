"""The log-likelihood of a Gaussian mixture, as in ADBench (Srajer, Kukelova, Fitzgibbon 2018), without the prior.

Each component has a weight (`alphas`, not normalised), a mean, and a lower triangular square root of its inverse covariance: a row of
`factors` has the logarithms of the diagonal, then the elements below it; `place` says in which column each element is.
"""

import math

import numpy as np

from benchmarks.benchmark import Benchmark

BLOCK = 128
LOG_2_PI = math.log(2 * math.pi)


def log_likelihood(alphas, means, factors, x, place, below):
    n, d = x.shape
    log_diagonal = factors[:, :d]
    triangles = factors[:, place] * below + np.exp(log_diagonal)[:, :, None] * np.eye(d)
    z = np.einsum("kij,nkj->nki", triangles, x[:, None, :] - means)
    terms = alphas + np.sum(log_diagonal, axis=1) - 0.5 * np.sum(z**2, axis=2)
    return np.sum(log_sum_exp(terms)) - n * (log_sum_exp(alphas) + 0.5 * d * LOG_2_PI)


def log_sum_exp(x):
    top = np.amax(x, axis=-1, keepdims=True)
    return np.sum(top, axis=-1) + np.log(np.sum(np.exp(x - top), axis=-1))


def by_hand(alphas, means, factors, x, place, below):
    """Take the points in blocks that stay in the cache, each block transposed, so that the innermost loops run over points."""
    (n, d), components = x.shape, alphas.size
    diagonal = np.exp(factors[:, :d])
    offset = alphas + factors[:, :d].sum(axis=1)
    points, z, terms = np.empty((d, BLOCK)), np.empty((components, d, BLOCK)), np.empty((components, BLOCK))
    top, total = np.empty(BLOCK), np.empty(BLOCK)
    weight, first, second = np.zeros(components), np.zeros((components, d)), np.zeros((components, d, d))
    value = 0.0
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for i in range(size):
            for c in range(d):
                points[c, i] = x[start + i, c]
            top[i], total[i] = -np.inf, 0.0
        for k in range(components):
            term, base = terms[k], offset[k]
            term[:size] = 0.0
            for r in range(d):
                row, a = z[k, r], diagonal[k, r]
                shift = a * means[k, r]
                for c in range(r):
                    shift += factors[k, place[r, c]] * means[k, c]
                for i in range(size):
                    row[i] = a * points[r, i] - shift
                for c in range(r):
                    a = factors[k, place[r, c]]
                    for i in range(size):
                        row[i] += a * points[c, i]
                for i in range(size):
                    term[i] += row[i] * row[i]
            for i in range(size):
                term[i] = base - 0.5 * term[i]
                top[i] = max(top[i], term[i])
        for k in range(components):
            term = terms[k]
            for i in range(size):
                term[i] = np.exp(term[i] - top[i])
                total[i] += term[i]
        for i in range(size):
            value += top[i] + np.log(total[i])
            total[i] = 1 / total[i]
        for k in range(components):
            term, added = terms[k], 0.0
            for i in range(size):
                term[i] *= total[i]
                added += term[i]
            weight[k] += added
            for r in range(d):
                row, added = z[k, r], 0.0
                for i in range(size):
                    row[i] *= term[i]
                    added += row[i]
                first[k, r] += added
                for c in range(r + 1):
                    added = 0.0
                    for i in range(size):
                        added += row[i] * points[c, i]
                    second[k, r, c] += added
    top_alpha = alphas.max()
    share = np.exp(alphas - top_alpha)
    value -= n * (top_alpha + np.log(share.sum()) + 0.5 * d * LOG_2_PI)
    g_alphas = weight - n * share / share.sum()
    g_means, g_factors = np.zeros(means.shape), np.zeros(factors.shape)
    for k in range(components):
        for r in range(d):
            g_factors[k, r] = weight[k] - diagonal[k, r] * (second[k, r, r] - first[k, r] * means[k, r])
            g_means[k, r] += diagonal[k, r] * first[k, r]
            for c in range(r):
                g_factors[k, place[r, c]] = first[k, r] * means[k, c] - second[k, r, c]
                g_means[k, c] += factors[k, place[r, c]] * first[k, r]
    return value, g_alphas, g_means, g_factors


def make(n, d, components):
    rng = np.random.default_rng(0)
    below = np.tril(np.ones((d, d)), -1)
    place = np.zeros((d, d), dtype=np.int64)
    place[below > 0] = np.arange(d, d * (d + 1) // 2)
    parameters = rng.normal(size=components), rng.normal(size=(components, d)), 0.3 * rng.normal(size=(components, d * (d + 1) // 2))
    name = f"Gaussian mixture, {n:,} points, {d} dimensions, {components} components"
    return Benchmark(name, log_likelihood, by_hand, (*parameters, rng.normal(size=(n, d)), place, below), differentiated=3)
