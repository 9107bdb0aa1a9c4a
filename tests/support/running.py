"""What runs during a test: started by `with`, and closed at its end or where the start fails."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Running(ABC):
    """Starts when its block begins, and is closed in every case."""

    @abstractmethod
    def start(self) -> None:
        """Start, and wait until it answers."""

    @abstractmethod
    def close(self) -> None:
        """End what runs, however far it came, and remove its folder."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
