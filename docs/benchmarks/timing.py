"""Contenders interleaved in rounds, and the ratios that come of it."""

from __future__ import annotations

import gc
import statistics
from dataclasses import dataclass, field
from time import perf_counter

from cases import Missing

__all__ = ["Timing", "interleave", "row", "stopwatch"]


@dataclass
class Timing:
    """What one run of a contender took, and how good its result was.

    ``epochs`` are seconds of each epoch without the set-up of a fit, ``total`` those of the whole.
    """

    total: float
    epochs: list[float] = field(default_factory=list)
    loss: float | None = None

    @property
    def epoch(self):
        return statistics.median(self.epochs) if self.epochs else self.total


def stopwatch(function, *args, **kwargs):
    """Time one call."""
    begin = perf_counter()
    function(*args, **kwargs)
    return Timing(perf_counter() - begin)


def interleave(contenders, n_rounds):
    """Run every contender once a round, each round in another order.

    Parameters
    ----------
    contenders : dict of str to callable
        Each takes the round's number as seed and returns a Timing, or raises Missing.

    n_rounds : int
        How often.

    Returns
    -------
    timings : dict of str to list of Timing
        One a round; where something is missing, the reason as a string in place of the list.
    """
    timings = {name: [] for name in contenders}
    names = list(contenders)
    # What is alive now stays: collecting garbage before each run then takes no time.
    gc.collect()
    gc.freeze()
    for number in range(n_rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            if isinstance(timings[name], str):
                continue
            gc.collect()
            try:
                timings[name].append(contenders[name](number))
            except Missing as reason:
                timings[name] = str(reason)
    gc.unfreeze()
    return timings


def row(case, name, timings, of=None, *, what="epoch", limit=None, per=1, **more):
    """Make a row of a table from the timings of one contender.

    Parameters
    ----------
    case, name : str
        What was done, and by whom.

    timings : dict of str to list of Timing
        What :func:`interleave` gave.

    of : str, default=None
        The contender that this one is compared with, round by round.

    what : {"epoch", "total"}, default="epoch"
        Which seconds are compared; with the epoch, the ratio of the whole fits is told too.

    limit : float, default=None
        What the ratio should stay below.

    per : float, default=1
        Divides the seconds.

    **more
        Further entries, ``note`` say.

    Returns
    -------
    row : dict
        Ready for the JSON file.
    """
    own, reference = timings[name], timings.get(of)
    result = {"case": case, "name": name, **more}
    if isinstance(own, str):
        return {**result, "skipped": own}
    result["seconds"] = statistics.median(getattr(t, what) for t in own) / per
    losses = [t.loss for t in own if t.loss is not None]
    if losses:
        result["loss"] = statistics.median(losses)
    if reference and name != of and not isinstance(reference, str):
        result |= {"of": of, "ratio": _ratio(own, reference, what, per)}
        if what == "epoch" and any(t.epochs for t in own):
            result["fit_ratio"] = _ratio(own, reference, "total", per)
    if limit is not None:
        result["limit"] = limit
    return result


def _ratio(own, reference, what, per):
    pairs = zip(own, reference, strict=True)
    ratios = [getattr(a, what) / per / getattr(b, what) for a, b in pairs]
    return [statistics.median(ratios), min(ratios), max(ratios)]
