"""How a fake provider behaves: well, slowly, or as badly as a real one on a bad day. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from piopiy_lab.errors import ArgumentError


@dataclass(frozen=True)
class Scenario:
    """How a fake provider behaves; the default is well and at once.

    Make one with the class methods, and combine them with :meth:`but`:
    ``Scenario.slow(first_byte=0.4).but(word_times=False)``.

    Attributes:
        first_byte_secs: Seconds before the first byte of each answer (for a recogniser: of each
            result).
        late_final_secs: Further seconds before a recogniser's final results.
        word_times: Whether words come with their times.
        drops_after_messages: The connection breaks after this many messages (for HTTP: parts of a
            streamed answer) of the server's. None: it does not.
        drops_after_secs: The connection breaks this many seconds after it was made (for HTTP: after
            the request came).
        drops: How many connections break; those after them last.
        refuses_after_drop: After a break, new connections are refused with HTTP 503.
        rate_limited: How many connections or requests are refused with HTTP 429; -1 is all.
        malformed_at: The number (from 1) of the server's message that is no JSON, on each
            connection. None: all are well-formed.
    """

    first_byte_secs: float = 0.0
    late_final_secs: float = 0.0
    word_times: bool = True
    drops_after_messages: int | None = None
    drops_after_secs: float | None = None
    drops: int = 1
    refuses_after_drop: bool = False
    rate_limited: int = 0
    malformed_at: int | None = None

    def __post_init__(self) -> None:
        for name in ("first_byte_secs", "late_final_secs", "drops_after_secs"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ArgumentError(f"Scenario {name} {value!r}: use seconds, 0 or more")
        for name in ("drops_after_messages", "drops", "malformed_at"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ArgumentError(f"Scenario {name} {value!r}: use a whole number from 1")
        if not isinstance(self.rate_limited, int) or self.rate_limited < -1:
            raise ArgumentError(
                f"Scenario rate_limited {self.rate_limited!r}: use how many are refused, -1 for all"
            )

    def but(self, **changes: object) -> Scenario:
        """Return this scenario with other values."""
        try:
            return replace(self, **changes)  # type: ignore[arg-type]
        except TypeError as error:
            raise ArgumentError(
                f"Scenario.but({', '.join(changes)}): the names are "
                f"{', '.join(Scenario.__dataclass_fields__)}"
            ) from error

    @classmethod
    def normal(cls) -> Scenario:
        """All goes well."""
        return cls()

    @classmethod
    def slow(cls, first_byte: float) -> Scenario:
        """Each answer begins this many seconds late."""
        return cls(first_byte_secs=first_byte)

    @classmethod
    def late_final(cls, secs: float) -> Scenario:
        """A recogniser's final results come this many seconds late."""
        return cls(late_final_secs=secs)

    @classmethod
    def no_word_times(cls) -> Scenario:
        """Words come without their times."""
        return cls(word_times=False)

    @classmethod
    def drops_after(
        cls,
        messages: int | None = None,
        *,
        secs: float | None = None,
        times: int = 1,
        then_refuses: bool = False,
    ) -> Scenario:
        """The connection breaks, without a goodbye.

        Args:
            messages: After so many messages of the server's.
            secs: After so many seconds.
            times: How many connections break.
            then_refuses: Whether new connections are refused afterwards.
        """
        if messages is None and secs is None:
            raise ArgumentError("Scenario.drops_after(): give messages or secs")
        return cls(
            drops_after_messages=messages,
            drops_after_secs=secs,
            drops=times,
            refuses_after_drop=then_refuses,
        )

    @classmethod
    def rate_limit(cls, times: int = -1) -> Scenario:
        """So many connections or requests (-1: all) are refused with HTTP 429."""
        return cls(rate_limited=times)

    @classmethod
    def malformed(cls, at: int = 1) -> Scenario:
        """The server's ``at``-th message on each connection is no JSON."""
        return cls(malformed_at=at)
