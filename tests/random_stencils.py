"""Random time loops over stencils, as source: a helper of the tests. Each takes two or three fields, which it changes in place and exchanges."""

import random


class Stencils:
    """The source of a function of `names` arrays of `shape`, drawn from a seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        ndim = self.draw(1, 2, 2, 2, 3)
        self.shape = (self.draw(9, 17, 24, 40) if ndim < 3 else self.draw(8, 12),) * ndim
        self.names = "abc"[: self.draw(2, 3)]
        self.width = self.draw(1, 1, 2)
        self.centre = self.slices([0] * ndim)
        lines = [line for _ in range(self.draw(1, 2, 3, 4)) for line in self.statement()]
        total = " + ".join(f"np.sum({x}**2)" if self.chance(0.5) else f"np.sum({x})" for x in self.names)
        self.source = "\n".join([
            "import numpy as np\n\n\ndef program(" + ", ".join(self.names) + "):", "    s = 0.0",
            f"    for k in range({self.draw(2, 3, 5, 12, 40)}):", *["        " + line for line in lines], f"    return s + {total}", ""])

    def draw(self, *options):
        return self.random.choice(options)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def slices(self, offsets) -> str:
        """Return the index of the interior, moved by `offsets`."""
        bounds = [(self.width + o, o - self.width) for o in offsets]
        return ", ".join(f"{low or ''}:{high or ''}" for low, high in bounds)

    def term(self) -> str:
        moved = [self.random.randint(-self.width, self.width) if self.chance(0.6) else 0 for _ in self.shape]
        value = f"{self.draw(*self.names)}[{self.slices(moved)}]"
        form = self.draw("{0}", "{0}", "{0}", "np.sin({0})", "{0}**2", "{0} * {1}[{2}]")
        return f"{self.draw(0.1, 0.2, -0.15, 0.05)} * {form.format(value, self.draw(*self.names), self.centre)}"

    def statement(self) -> list[str]:
        x, y, kind = self.draw(*self.names), self.draw(*self.names), self.draw("smooth", "add", "set", "fresh", "border", "source", "all")
        terms = " + ".join(self.term() for _ in range(self.draw(1, 2, 3, 5)))
        here = f"{x}[{self.centre}]"
        if kind == "fresh":
            return [f"t = np.zeros_like({x})", f"t[{self.centre}] = {terms}", f"{x}, {y} = {y}, t" if x != y else f"{x} = t + 0.1 * {x}"]
        if kind == "border":
            axis, end = self.random.randrange(len(self.shape)), self.draw(0, -1)
            edge, next_to = (", ".join(str(k) if n == axis else ":" for n in range(len(self.shape))) for k in (end, 1 if end == 0 else -2))
            return [f"{x}[{edge}] = {self.draw('0.0', f'{x}[{next_to}]', f'0.5 * {y}[{next_to}]')}"]
        place = ", ".join(str(self.random.randrange(n)) for n in self.shape)
        return {"smooth": [f"{here} = 0.8 * {here} + {terms}"], "add": [f"{here} += {terms}"], "set": [f"{here} = {terms}"],
                "source": [f"{x}[{place}] += np.sin(0.3 * k)", f"s += 0.01 * np.sum({here}**2)"],
                "all": [f"{x} = np.where({x} > 0.4, 0.9 * {x}, 0.6 * {x} + 0.1)"]}[kind]
