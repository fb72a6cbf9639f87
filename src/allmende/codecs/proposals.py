"""Proposals: which predictions of a tensor are worth a trial, found on a sample, those that fit best first.

Finders suggest drafts, the sample judges them. The search ends with the first that leaves nothing; simple
finders come first, so that a copy is never called a merge.
"""

from collections.abc import Callable, Iterator, Sequence

from allmende.codecs.completing import Proposal
from allmende.codecs.drafts import Draft, Open
from allmende.codecs.finding_merges import find_merges
from allmende.codecs.finding_one import find_casts, find_copies, find_pruned, find_scaled
from allmende.codecs.finding_quantised import find_blocks, find_codes, find_scales
from allmende.codecs.low_rank import change_of, rank_of
from allmende.codecs.objects import Resolve
from allmende.codecs.outputs import Output, Words
from allmende.codecs.predictions import MAX_PIECES
from allmende.codecs.samples import Candidate, Child, Fit, Sample, draw_sample
from allmende.codecs.steps import MAX_SOURCES, Arithmetic, Load, LowRank, Step

__all__ = ["MAX_CANDIDATES", "Proposer"]

MAX_CANDIDATES = 8
_MOST_PROPOSED = 4
_MOST_HABITS = 6
_MOST_PIECES = MAX_PIECES // MAX_SOURCES
_WORSE = 1.5
"""A draft that misses so many times more of its first values than the best one so far is dropped."""

_Finder = Callable[[Sample], Iterator[Draft]]
_Habit = tuple[tuple[str, ...], tuple[Step, ...], Output]


class Proposer:
    """Proposes predictions for the tensors of one file, and remembers what was right for those before."""

    def __init__(self, resolve: Resolve, *, low_rank: bool = True) -> None:
        """`low_rank` asks for merged adapters too, for which some rows of every matrix are decomposed."""
        self._resolve, self._low_rank = resolve, low_rank
        self._habits: list[_Habit] = []

    def propose(self, child: Child, candidates: Sequence[Candidate]) -> list[Proposal]:
        """Predictions of the child from these candidates, the best first; `complete` makes them whole.

        No more than MAX_CANDIDATES are looked at, and none that is in more pieces than a prediction may name.
        Raises what reading raises.
        """
        usable = [one for one in candidates if one.source.values and len(one.reference) <= _MOST_PIECES]
        found: list[Proposal] = []
        for values in dict.fromkeys(one.source.values for one in usable[:MAX_CANDIDATES]):
            found += self._judged(draw_sample(child, usable[:MAX_CANDIDATES], values, self._resolve))
        found.sort(key=_expected)
        if self._low_rank and found:
            found = [*self._of_low_rank(child, found[0]), *found]
        return found[:_MOST_PROPOSED]

    def _of_low_rank(self, child: Child, best: Proposal) -> Iterator[Proposal]:
        """The best one's source with a product added, if what is left of the child has a low rank."""
        if child.dtype != "F32" or best.fit.bits <= 0 or len(best.sources) != 1:
            return
        change = change_of(child.plain, best.sources[0], child.columns, self._resolve)
        rank = None if change is None else rank_of(change)
        if rank is not None:
            steps = (Load(0), LowRank(rank, child.columns), Arithmetic("add"))
            # How well it fits shows only when its factors were fitted to the whole.
            yield Proposal(best.sources, steps, Words("F32"), best.fit, Open.FACTORS)

    def _judged(self, sample: Sample) -> Iterator[Proposal]:
        """Drafts that fit about as well as the best one before them, up to the first that is exact."""
        part, least, least_of_part = sample.part(), float("inf"), float("inf")
        parts = {one.number: one for one in part.candidates}
        for draft in self._drafts(sample):
            first = part.fit([parts[one.number] for one in draft.chosen], draft.steps, draft.output)
            if first is None or first.bits > _WORSE * least + 0.05:
                continue
            if len(draft.chosen) > 1 and first.bits > least_of_part:
                continue  # one way of many to write a mixture, none of which has to be as good as the best
            least_of_part = min(least_of_part, first.bits)
            fit = first if part is sample else sample.fit(draft.chosen, draft.steps, draft.output)
            if fit is None:
                continue
            least = min(least, fit.bits)
            yield _proposal(draft, fit)
            if fit.equal == 1.0 and draft.open is Open.NOTHING:
                self._remember(draft)
                return

    def _drafts(self, sample: Sample) -> Iterator[Draft]:
        yield from find_copies(sample)
        yield from find_casts(sample)
        yield from self._by_habit(sample)
        for finder in _FINDERS:
            yield from finder(sample)

    def _by_habit(self, sample: Sample) -> Iterator[Draft]:
        by_origin = {one.origin: one for one in sample.floats}
        for origins, steps, output in list(self._habits):
            if all(origin in by_origin for origin in origins):
                yield Draft([by_origin[origin] for origin in origins], steps, output)

    def _remember(self, draft: Draft) -> None:
        habit = (tuple(one.origin for one in draft.chosen), draft.steps, draft.output)
        if len(habit[0]) < 2 or "" in habit[0]:
            return
        self._habits = [habit, *(other for other in self._habits if other != habit)][:_MOST_HABITS]


_FINDERS: tuple[_Finder, ...] = (
    find_blocks, find_codes, find_scales, find_pruned, find_scaled, find_merges,
)  # fmt: skip


def _expected(proposal: Proposal) -> float:
    """What a proposal may well leave: what is open was guessed, and the whole will tell better."""
    return proposal.fit.bits * (1.0 if proposal.open is Open.NOTHING else 0.5)


def _proposal(draft: Draft, fit: Fit) -> Proposal:
    return Proposal(tuple(one.source for one in draft.chosen), draft.steps, draft.output, fit, draft.open)
