"""Third-party engines take a Conv as it is: it is their only kind of pass, and has no program."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from accelsim.dataflows.base import UNBOUNDED, Candidate, Plan
from accelsim.errors import UnsupportedError
from accelsim.hardware import THIRD_PARTY, ThirdPartyEngine
from accelsim.ir import Conv
from accelsim.passes import Body


@dataclass(frozen=True, eq=False)
class Whole:
    """A Conv in one piece, on the engine of that name."""

    eager: ClassVar[bool] = False
    engine: str

    @property
    def name(self) -> str:
        """That of the engine, which has no other dataflow."""
        return self.engine

    def tilings(
        self, conv: Conv, sizes: ThirdPartyEngine, most: int = UNBOUNDED
    ) -> Iterator[Candidate]:
        """The only one."""
        yield None, None

    def body(self, conv: Conv, sizes: ThirdPartyEngine, tiling: Hashable) -> Body:
        """The Conv."""
        return (conv,)

    def program(self, conv: Conv, sizes: ThirdPartyEngine, plan: Plan) -> NoReturn:
        """Refused: there are no passes."""
        raise UnsupportedError(f"{self.engine} is a model without registers and RTL")


DATAFLOWS = tuple(Whole(engine.name) for engine in THIRD_PARTY)
