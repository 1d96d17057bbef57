"""Couriers that are closed when a test ends."""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from relay.delivery.courier import SmtpCourier
from tests.support import outgoing

MakeCourier = Callable[..., SmtpCourier]


@pytest_asyncio.fixture
async def courier() -> AsyncIterator[MakeCourier]:
    """Make couriers as tests.support.outgoing.courier does; each is closed at the end."""
    made: list[SmtpCourier] = []

    def make(*routes: object, **options: object) -> SmtpCourier:
        made.append(outgoing.courier(*routes, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        await one.close()
