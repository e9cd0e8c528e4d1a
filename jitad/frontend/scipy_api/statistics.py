"""``scipy.stats``: densities and distribution functions, and statistics of samples."""

FUNCTIONS = {}
