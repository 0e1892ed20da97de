"""Believable events, the same ones each time: 45 days of a shop with many users."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from benchmarks.scale.scripts import CUMULATED, SCRIPTS, USER, Script, long_script
from signals_demo.events import Row

DAYS = 45
USERS = 2_000
OBJECTS = 50_000
PROCESSES = 4  # that answer requests; a command is a process of its own
LONGEST = 10_000  # events of the one long trace, which comes on top
SEED = 1
AT_ONCE = 1_000

_HOUR = timedelta(hours=1)
_UNIT = 250  # microseconds between two events of a trace, in the middle


def rows(events: int, until: datetime, longest: int = LONGEST) -> Iterator[Row]:
    """Yield about so many events, the oldest first, and among them one trace of `longest`."""
    random = Random(SEED)  # noqa: S311 - the same events in each run
    moments = _moments(events, until)
    play = _Stage(random).play
    made, middle = 0, events // 2
    while made < events:
        for script in random.choices(SCRIPTS, cum_weights=CUMULATED, k=AT_ONCE):
            if made >= events:
                return
            if middle <= made:
                middle = events
                yield from play(long_script(longest), moments(made))
            yield from play(script, moments(made))
            made += len(script.steps)


def _moments(events: int, until: datetime):
    """Return what tells when the event of a number fired: more by day than at night."""
    first = until - timedelta(days=DAYS)
    weights = [_busyness(first + _HOUR * hour) for hour in range(DAYS * 24)]
    share = events / sum(weights)
    hour, before, here = 0, 0.0, weights[0] * share

    def moment(number: int) -> datetime:
        nonlocal hour, before, here
        while number >= before + here and hour + 1 < len(weights):
            before += here
            hour += 1
            here = weights[hour] * share
        return first + _HOUR * hour + min((number - before) / here, 0.9999) * _HOUR

    return moment


def _busyness(moment: datetime) -> float:
    by_day = 0.15 + math.sin(moment.hour / 24 * math.pi) ** 2
    return by_day * (0.4 if moment.weekday() >= 5 else 1)


class _Stage:
    """Plays scripts, in processes that number their events."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._processes = [self._id() for _ in range(PROCESSES)]
        self._numbers = dict.fromkeys(self._processes, 0)
        self._day = 0

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _process(self, script: Script, moment: datetime) -> UUID:
        if script.origin not in ("request", "task"):
            return self._id()
        if moment.toordinal() != self._day:  # each night they are started anew
            self._day = moment.toordinal()
            self._processes = [self._id() for _ in range(PROCESSES)]
            self._numbers = dict.fromkeys(self._processes, 0)
        return self._processes[int(self._random.random() * PROCESSES)]

    def play(self, script: Script, moment: datetime) -> Iterator[Row]:
        chance = self._random.random
        recorder = self._process(script, moment)
        number = self._numbers.get(recorder, 0)
        trace_id = f"{self._random.getrandbits(128):032x}"
        span_id = f"0{trace_id[:15]}"
        # Few users and objects have most of the events.
        user = "" if script.is_anonymous else str(1 + int(USERS * chance() ** 3))
        actor = user and f"user{user}"
        first = 1 + int(OBJECTS * chance() ** 4)
        address = f"198.51.100.{1 + int(254 * chance())}" if script.origin == "request" else ""
        name = script.name.replace("%s", str(first))
        # Most are quick and some take very long.
        unit = timedelta(microseconds=int(_UNIT * math.exp(self._random.gauss(0, 0.9))) + 1)
        for position, step in enumerate(script.steps, 1):
            (
                signal,
                sender,
                depth,
                times,
                opened,
                about,
                alias,
                outcome,
                site,
                given,
                changes,
                bad,
            ) = step
            key = "" if about is None else user if about == USER else str(first + about)
            yield Row(
                recorder, number + position, moment, signal, sender, trace_id, span_id, position,
                depth, times, unit * opened if opened else None, script.origin, name, user, actor,
                address, key, alias, outcome, site, given.replace("%s", key), changes, bad, "",
            )  # fmt: skip
            moment += unit
        if recorder in self._numbers:
            self._numbers[recorder] = number + len(script.steps)
