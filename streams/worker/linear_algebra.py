"""How many threads numpy takes for the products of matrices that the event loop computes."""

from __future__ import annotations

from typing import Final

from threadpoolctl import threadpool_limits

THREADS: Final = 1
"""The loop's products are small: a projection of some texts takes 0.1 ms on one thread. Numpy gives it one for each
core, and the loop then waits until the others get a core, of which the encoder holds one. Afterwards each of them
spins for 20 ms and more, on a core that the encoder, the broker or the loop itself needs."""


def keep_products_on_the_loop() -> None:
    """Have numpy compute products on the thread that asks for them, in the whole process and for good.

    The encoder's products are of torch, which has threads of its own.
    """
    threadpool_limits(limits=THREADS, user_api="blas")
