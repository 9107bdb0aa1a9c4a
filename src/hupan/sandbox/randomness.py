"""The seeded random sources of a sandbox, and the position of each (K-7)."""

from collections.abc import Mapping

from hupan.rng import RandomSource, SeededRandomSource, SystemRandomSource


class SandboxRandomness:
    """Makes the random sources of a sandbox.

    Args:
        seed: repeats codes, tokens and captchas; "" for random ones.
    """

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self._sources: dict[str, SeededRandomSource] = {}

    def make_source(self, purpose: str) -> RandomSource:
        """Return a separate source, whose position `restore` sets."""
        if not self.seed:
            return SystemRandomSource()
        self._sources[purpose] = source = SeededRandomSource(f"{self.seed}/{purpose}")
        return source

    def export(self) -> dict[str, int]:
        """Return the position of each source."""
        return {purpose: source.position for purpose, source in self._sources.items()}

    def restore(self, positions: Mapping[str, int]) -> None:
        """Move each source that has a position."""
        for purpose, position in positions.items():
            if purpose in self._sources:
                self._sources[purpose].move_to(position)

    def reset(self) -> None:
        """Move each source to its beginning."""
        for source in self._sources.values():
            source.move_to(0)
