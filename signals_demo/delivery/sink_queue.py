"""What each sink has not stored yet, and how long it waits after an error."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from signals_demo.clock import clock
from signals_demo.conf import Config, config
from signals_demo.delivery.buffer import Buffer
from signals_demo.delivery.rows import Queued, SegmentEnd
from signals_demo.delivery.session import session
from signals_demo.events import Attribution, Resolution, Row
from signals_demo.sinks import BaseSink, NotReady, configured

logger = logging.getLogger("signals_demo")

LONGEST_DELAY = 30.0  # seconds between two tries at a sink that fails


def _pass(_sink: BaseSink, ends: Sequence[SegmentEnd]) -> None:
    for end in ends:
        end.pass_sink()


_SEND: Mapping[type, Callable[[BaseSink, Any], None]] = {
    Resolution: lambda sink, resolutions: sink.resolve(resolutions),
    Attribution: lambda sink, attributions: sink.attribute(attributions),
    SegmentEnd: _pass,
}


class SinkQueue:
    """A sink and what it has not stored yet, at most BUFFER_LIMIT entries."""

    def __init__(self, sink: BaseSink, buffer: Buffer) -> None:
        self.sink = sink
        self.pending: deque[Queued] = deque()
        self.stored = 0
        self.dropped = 0
        """Firings that were dropped here, because too much waited."""
        # Not the exception: its traceback holds frames, and through them rows and cursors.
        self.trouble = ""
        """Why it cannot store anything at present."""
        self._buffer = buffer
        self._refused = 0  # firings, by the sink before this one
        self._recorded_losses = Counter(self._losses)
        self._reported: set[type[Exception]] = set()
        self._failing_since = 0.0
        self._delay = 0.0
        self._next_try = 0.0

    def take_over(self, other: "SinkQueue") -> None:
        """Go on where the queue of another configuration stopped."""
        self.pending.extend(other.pending)
        self.stored, self.dropped = other.stored, other.dropped
        self._refused = other.refused
        self._recorded_losses = other._recorded_losses

    @property
    def refused(self) -> int:
        """Return how many firings its sink has refused for good."""
        return self._refused + self.sink.refused_firings

    @property
    def _losses(self) -> dict[str, int]:
        """Return how many firings were lost, here and in the buffer, by the reason."""
        return {"BUFFER_LIMIT": self.dropped + self._buffer.lost, "refused": self.refused}

    @property
    def is_full(self) -> bool:
        """Return whether a batch is waiting already."""
        return len(self.pending) >= config().batch_size

    @property
    def waiting(self) -> int:
        """Return how many events wait."""
        return sum(entry.firings > 0 for entry in list(self.pending))

    def add(self, entries: Sequence[Queued]) -> None:
        """Add entries, and drop the oldest of those for which there is no room."""
        self.pending.extend(entries)
        while len(self.pending) > config().buffer_limit:
            self.dropped += self._buffer.losses.of(self.pending.popleft())

    def unrecorded_losses(self) -> Mapping[str, int]:
        """Return how many firings were lost since the last call, by the reason.

        They are kept for a later call as long as the sink fails.
        """
        if self.trouble:
            return {}
        lost = Counter(self._losses) - self._recorded_losses
        self._recorded_losses += lost
        return lost

    def try_now(self) -> None:
        """Wait no longer after an error."""
        self._next_try = 0.0

    def deliver(self, *, now: bool, is_stopping: Callable[[], bool]) -> None:
        """Hand what is pending to the sink; after an error wait, twice as long each time."""
        if not now and clock.monotonic() < self._next_try:
            return
        try:
            while self.pending:
                self._send_batch()
                if is_stopping():
                    break
            if self.sink.has_more:
                self.sink.flush()
        except NotReady as error:
            self._fail(error, patience=error.patience, longest_delay=1.0)
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            self._fail(error, patience=0.0, longest_delay=LONGEST_DELAY)
            with suppress(Exception):  # what the connection reports, it has reported already
                self.sink.close()
        else:
            self._succeed()

    def store(self, rows: Sequence[Row]) -> None:
        """Have the sink store rows, and count those that it does not refuse."""
        refused = self.sink.refused_events
        self.sink.store(rows)
        self.stored += len(rows) - (self.sink.refused_events - refused)

    def _fail(self, error: Exception, *, patience: float, longest_delay: float) -> None:
        now = clock.monotonic()
        self._failing_since = self._failing_since or now
        self.trouble = str(error)
        if now - self._failing_since >= patience and type(error) not in self._reported:
            self._reported.add(type(error))
            logger.warning(
                "Sink %r cannot store events and will try again: %s", self.sink.alias, error
            )
        self._delay = min(self._delay * 2 or config().flush_interval, longest_delay)
        self._next_try = now + self._delay

    def _succeed(self) -> None:
        if self._reported:
            logger.warning("Sink %r stores events again.", self.sink.alias)
        self._reported.clear()
        self.trouble, self._failing_since, self._delay = "", 0.0, 0.0

    def _send_batch(self) -> None:
        """Send the oldest entries that are of one kind."""
        kind = type(self.pending[0])
        batch: list[Queued] = []
        for entry in self.pending:
            if type(entry) is not kind or len(batch) == config().batch_size:
                break
            batch.append(entry)
        if kind is Row:
            self.store(batch)  # type: ignore[arg-type]
        else:
            _SEND[kind](self.sink, batch)
        for _ in batch:
            self.pending.popleft()


class SinkQueues:
    """The queues of the sinks that the setting names."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._queues: list[SinkQueue] = []
        self._config: Config | None = None
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[SinkQueue]:
        return iter(self._queues)

    def current(self) -> list[SinkQueue]:
        """Return those of the configuration in force; new ones inherit what is pending."""
        if self._config is not config():
            with self._lock:  # inline, several threads may come here at once
                wanted = config()
                if self._config is not wanted:
                    self._queues = self._make()
                    self._config = wanted
        return self._queues

    def _make(self) -> list[SinkQueue]:
        before = {queue.sink.alias: queue for queue in self._queues}
        queues = [SinkQueue(sink, self._buffer) for sink in configured(session)]
        for queue in queues:
            if queue.sink.alias in before:
                queue.take_over(before[queue.sink.alias])
        return queues

    @property
    def has_pending(self) -> bool:
        return any(queue.pending for queue in self._queues)

    @property
    def has_more(self) -> bool:
        """Return whether a sink keeps something that it should store soon."""
        return any(queue.sink.has_more for queue in self._queues)

    @property
    def waiting(self) -> int:
        """Return how many events wait for the slowest sink."""
        return max((queue.waiting for queue in self._queues), default=0)

    @property
    def stored(self) -> int:
        """Return how many events a sink has stored."""
        return max((queue.stored for queue in self._queues), default=0)

    @property
    def dropped(self) -> int:
        """Return how many firings were dropped, here and in the buffer."""
        return self._buffer.lost + max((queue.dropped for queue in self._queues), default=0)

    @property
    def lost(self) -> int:
        """Return how many firings were lost: dropped, or refused by a sink."""
        return self.dropped + max((queue.refused for queue in self._queues), default=0)

    @property
    def trouble(self) -> str:
        """Return why a sink cannot store anything at present."""
        return next(filter(None, (queue.trouble for queue in self._queues)), "")

    def try_now(self) -> None:
        """Wait no longer after an error."""
        for queue in self._queues:
            queue.try_now()

    def flush(self) -> None:
        """Have the sinks store what they keep: the process ends."""
        for queue in self._queues:
            with suppress(Exception):  # what it reports, it has reported already
                queue.sink.flush()

    def close(self) -> None:
        """Have the sinks give back their connections."""
        for queue in self._queues:
            with suppress(Exception):  # it is asked to close, not to succeed
                queue.sink.close()
