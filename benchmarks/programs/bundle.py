"""Half the sum of squared reprojection errors of a bundle adjustment: gather in the value, scatter-add in the gradient.

A camera has 11 parameters, as in ADBench: rotation (3, Rodrigues), centre (3), focal length, principal point (2), radial distortion (2).
"""

import numpy as np

from benchmarks.benchmark import Benchmark


def reprojection_error(cameras, points, weights, camera, point, features):
    residuals = weights[:, None] * (project(cameras[camera], points[point]) - features)
    return 0.5 * np.sum(residuals**2)


def project(camera, point):
    rotation, centre, focal, principal, radial = camera[:, :3], camera[:, 3:6], camera[:, 6:7], camera[:, 7:9], camera[:, 9:]
    x = rotate(rotation, point - centre)
    image = x[:, :2] / x[:, 2:]
    square = np.sum(image**2, axis=1, keepdims=True)
    return focal * image * (1 + radial[:, :1] * square + radial[:, 1:] * square**2) + principal


def rotate(rotation, x):
    angle = np.sqrt(np.sum(rotation**2, axis=1, keepdims=True))
    axis = rotation / angle
    along = np.sum(axis * x, axis=1, keepdims=True)
    return np.cos(angle) * x + np.sin(angle) * cross(axis, x) + (1 - np.cos(angle)) * along * axis


def cross(a, b):
    return np.stack(
        [a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1], a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2], a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]], 1
    )


def by_hand(cameras, points, weights, camera, point, features):
    """Compute each camera's rotation matrix once, and go back through it once."""
    count = cameras.shape[0]
    matrices, g_matrices = np.empty((count, 3, 3)), np.zeros((count, 3, 3))
    for c in range(count):
        r0, r1, r2 = cameras[c, 0], cameras[c, 1], cameras[c, 2]
        angle = np.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
        k0, k1, k2 = r0 / angle, r1 / angle, r2 / angle
        sin, cos = np.sin(angle), np.cos(angle)
        m, one = matrices[c], 1 - cos
        m[0, 0], m[0, 1], m[0, 2] = cos + one * k0 * k0, one * k0 * k1 - sin * k2, one * k0 * k2 + sin * k1
        m[1, 0], m[1, 1], m[1, 2] = one * k0 * k1 + sin * k2, cos + one * k1 * k1, one * k1 * k2 - sin * k0
        m[2, 0], m[2, 1], m[2, 2] = one * k0 * k2 - sin * k1, one * k1 * k2 + sin * k0, cos + one * k2 * k2
    value = 0.0
    g_cameras, g_points = np.zeros(cameras.shape), np.zeros(points.shape)
    for i in range(camera.size):
        c, p = camera[i], point[i]
        m, g_m, g_c = matrices[c], g_matrices[c], g_cameras[c]
        y0, y1, y2 = points[p, 0] - cameras[c, 3], points[p, 1] - cameras[c, 4], points[p, 2] - cameras[c, 5]
        x0 = m[0, 0] * y0 + m[0, 1] * y1 + m[0, 2] * y2
        x1 = m[1, 0] * y0 + m[1, 1] * y1 + m[1, 2] * y2
        depth = 1 / (m[2, 0] * y0 + m[2, 1] * y1 + m[2, 2] * y2)
        u, v = x0 * depth, x1 * depth
        square = u * u + v * v
        focal, k1, k2 = cameras[c, 6], cameras[c, 9], cameras[c, 10]
        distortion = 1 + square * (k1 + k2 * square)
        w = weights[i]
        e0 = w * (focal * u * distortion + cameras[c, 7] - features[i, 0])
        e1 = w * (focal * v * distortion + cameras[c, 8] - features[i, 1])
        value += 0.5 * (e0 * e0 + e1 * e1)
        g0, g1 = w * e0, w * e1
        along = u * g0 + v * g1
        g_c[6] += distortion * along
        g_c[7] += g0
        g_c[8] += g1
        g_c[9] += focal * along * square
        g_c[10] += focal * along * square * square
        bend = 2 * focal * along * (k1 + 2 * k2 * square)
        g_u, g_v = focal * distortion * g0 + bend * u, focal * distortion * g1 + bend * v
        h0, h1 = g_u * depth, g_v * depth
        h2 = -(h0 * u + h1 * v)
        g_m[0, 0] += h0 * y0
        g_m[0, 1] += h0 * y1
        g_m[0, 2] += h0 * y2
        g_m[1, 0] += h1 * y0
        g_m[1, 1] += h1 * y1
        g_m[1, 2] += h1 * y2
        g_m[2, 0] += h2 * y0
        g_m[2, 1] += h2 * y1
        g_m[2, 2] += h2 * y2
        for j in range(3):
            g_y = m[0, j] * h0 + m[1, j] * h1 + m[2, j] * h2
            g_points[p, j] += g_y
            g_c[3 + j] -= g_y
    for c in range(count):
        r0, r1, r2 = cameras[c, 0], cameras[c, 1], cameras[c, 2]
        angle = np.sqrt(r0 * r0 + r1 * r1 + r2 * r2)
        k0, k1, k2 = r0 / angle, r1 / angle, r2 / angle
        sin, cos = np.sin(angle), np.cos(angle)
        g, one = g_matrices[c], 1 - cos
        s0, s1, s2 = g[2, 1] - g[1, 2], g[0, 2] - g[2, 0], g[1, 0] - g[0, 1]
        q0 = 2 * g[0, 0] * k0 + (g[0, 1] + g[1, 0]) * k1 + (g[0, 2] + g[2, 0]) * k2
        q1 = (g[0, 1] + g[1, 0]) * k0 + 2 * g[1, 1] * k1 + (g[1, 2] + g[2, 1]) * k2
        q2 = (g[0, 2] + g[2, 0]) * k0 + (g[1, 2] + g[2, 1]) * k1 + 2 * g[2, 2] * k2
        twist, bend = k0 * s0 + k1 * s1 + k2 * s2, k0 * q0 + k1 * q1 + k2 * q2
        g_angle = sin * (0.5 * bend - g[0, 0] - g[1, 1] - g[2, 2]) + cos * twist
        radial = g_angle - (sin * twist + one * bend) / angle
        g_cameras[c, 0] = (sin * s0 + one * q0) / angle + radial * k0
        g_cameras[c, 1] = (sin * s1 + one * q1) / angle + radial * k1
        g_cameras[c, 2] = (sin * s2 + one * q2) / angle + radial * k2
    return value, g_cameras, g_points


def make(observations, cameras, points):
    rng = np.random.default_rng(0)
    around = rng.normal(size=(points, 3))
    parameters = np.array([0, 0, 0, 0, 0, -8, 500, 320, 240, -0.1, 0.02]) + rng.normal(size=(cameras, 11)) * (
        np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 10, 5, 5, 0.01, 0.01])
    )
    camera, point = rng.integers(cameras, size=observations), rng.integers(points, size=observations)
    features = project(parameters[camera], around[point]) + rng.normal(size=(observations, 2))
    arguments = parameters, around, rng.uniform(0.5, 1, size=observations), camera, point, features
    name = f"Bundle adjustment, {observations:,} observations"
    return Benchmark(name, reprojection_error, by_hand, arguments, differentiated=2)
