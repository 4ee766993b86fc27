"""How long a download puts up with a bad line, and how long a server asks to be left alone."""

import contextlib
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

_SECONDS = re.compile("[0-9]{1,9}")


def _hub_timeout() -> float:
    """``HF_HUB_DOWNLOAD_TIMEOUT``, or what the Hub's client takes without it."""
    from huggingface_hub import constants

    return float(constants.HF_HUB_DOWNLOAD_TIMEOUT)


@dataclass(frozen=True)
class Patience:
    """Where a download gives up. Times in seconds.

    A try that brought at least ``gain`` bytes more than any before it starts the count of ``tries`` afresh: a long file
    on a bad line arrives piece by piece, and a line that brings nothing ends soon.
    """

    tries: int = 5
    first_wait: float = 1.0  # after the first failure; doubled after each further one, with jitter
    longest_wait: float = 300.0  # the Hub counts requests in windows of five minutes
    stall: float = field(default_factory=_hub_timeout)  # without a byte
    slowest: float = 1000.0  # bytes a second, over each stretch of ``stall`` seconds
    gain: int = 1 << 20
    files_at_once: int = 4

    def wait_after(self, failures: int) -> float:
        """Seconds before the next try; a random share of it, so that many clients do not come back together."""
        return min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait) * random.uniform(0.5, 1.0)


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait: the longer of RateLimit's ``t`` (IETF draft) and Retry-After (RFC 9110)."""
    from huggingface_hub.utils import parse_ratelimit_headers

    waits = []
    with contextlib.suppress(ValueError, OverflowError):
        limit = parse_ratelimit_headers(headers)
        if limit is not None and limit.remaining == 0:
            waits.append(float(limit.reset_in_seconds))
    with contextlib.suppress(ValueError, OverflowError):
        if after := headers.get("retry-after", "").strip():
            waits.append(float(after) if _SECONDS.fullmatch(after) else _seconds_until(after, headers))
    return max(waits, default=None)


def _seconds_until(date: str, headers: Mapping[str, str]) -> float:
    """By the server's own clock where it tells it, since ours may be wrong."""
    from email.utils import parsedate_to_datetime

    told = headers.get("date", "")
    now = parsedate_to_datetime(told).timestamp() if told else time.time()
    return max(0.0, parsedate_to_datetime(date).timestamp() - now)
