"""Querying a scheduler about many jobs with few commands, and trusting only explicit answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from parsl.providers.batch.answers import Answer, AnswerKind, JobRecord, StatusQuery
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.scheduler import NoAnswer, StatusRunner
from parsl.vocabulary.job_states import JobState

logger = logging.getLogger(__name__)

#: How many pending jobs a collection checks for whether they can ever run.
MAX_FEASIBILITY_CHECKS = 100
#: How many jobs a collection queries one by one; later collections query the others.
MAX_SINGLE_QUERIES = 20


class LeastRecentFirst:
    """Sorts jobs so that those queried the longest time ago come first, separately for each purpose.

    Time is counted in rounds. Jobs that were queried in the same round keep their given order.
    """

    def __init__(self) -> None:
        self._round = 0
        self._last_round: dict[tuple[str, str], int] = {}

    def start_round(self, job_ids: Iterable[str]) -> None:
        """Start a new round, and forget all other jobs."""
        self._round += 1
        kept = set(job_ids)
        self._last_round = {key: number for key, number in self._last_round.items() if key[1] in kept}

    def sort(self, purpose: str, job_ids: Iterable[str]) -> list[str]:
        """Return the jobs that were never queried for this purpose first, then the others by age."""
        return sorted(job_ids, key=lambda job_id: self._last_round.get((purpose, job_id), 0))

    def mark(self, purpose: str, job_ids: Iterable[str]) -> None:
        self._last_round.update({(purpose, job_id): self._round for job_id in job_ids})


class StatusCollector:
    """Queries jobs in the forms that a dialect offers, and learns which form gets answers.

    The best form may be answered for some jobs only, or not at all. The next forms are then tried for the
    jobs that the answers omit, and a form that answers more becomes the first one. Jobs that the scheduler
    does not know are queried one by one before that answer is trusted. Jobs for which no time is left
    come first in the next collection.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._queries = list(dialect.status_queries)
        self._order = LeastRecentFirst()

    def collect(self, run: StatusRunner, job_ids: Sequence[str], batch_size: int) -> Collection:
        """Query jobs, given as the scheduler printed their ids, with commands of ``batch_size`` jobs each."""
        dialect = self._dialect
        found = Collection(dialect, self._order, run, job_ids, batch_size)
        self._order.start_round(job_ids)
        try:
            self._query_all(found)
            self._query_history(found)
            single_query = dialect.existence_query or self._queries[0]
            found.query_each(single_query, found.unsettled(), "existence")
            found.query_each(dialect.detail_query, found.recorded(dialect.needs_detail), "detail")
            pending = found.recorded(lambda record: record.state is JobState.PENDING)
            found.query(dialect.feasibility_query, pending, "feasibility", limit=MAX_FEASIBILITY_CHECKS)
        except NoAnswer as error:
            found.problem = str(error)
        found.gone -= found.records.keys()
        if not found.unsettled():
            found.problem = None  # one form of the query got no answer, but another one did
        return found

    def _query_all(self, found: Collection) -> None:
        for query in list(self._queries):
            if found.query(query, found.omitted(), "status") and query is not self._queries[0]:
                self._queries.remove(query)
                self._queries.insert(0, query)
                logger.debug("The first query is now %s", query.command(["ID"]))

    def _query_history(self, found: Collection) -> None:
        size = self._dialect.history_batch_size
        try:
            found.query_each(
                self._dialect.history_query, found.without_record(), "history", size, only_ended=True
            )
        except NoAnswer as error:
            logger.debug("The job history is unavailable: %s", error)


class Collection:
    """What one collection has found so far. Nothing is known about a job that it does not mention."""

    def __init__(
        self,
        dialect: Dialect,
        order: LeastRecentFirst,
        run: StatusRunner,
        job_ids: Sequence[str],
        batch_size: int,
    ) -> None:
        #: By short job id.
        self.records: dict[str, JobRecord] = {}
        #: The short ids of jobs that the scheduler, queried for each of them alone, does not know.
        self.gone: set[str] = set()
        #: Why the results may be incomplete.
        self.problem: str | None = None
        self._order = order
        self._run = run
        self._batch_size = batch_size
        self._short_id = dialect.short_id
        self._ids = {dialect.short_id(job_id): job_id for job_id in job_ids}
        self._unknown: set[str] = set()

    def recorded(self, condition: Callable[[JobRecord], bool]) -> list[str]:
        return [self._ids[short_id] for short_id, record in self.records.items() if condition(record)]

    def without_record(self) -> list[str]:
        return self._all_except(self.records.keys())

    def omitted(self) -> list[str]:
        """Return the jobs that no answer has mentioned, not even as unknown."""
        return self._all_except(self.records.keys() | self._unknown)

    def unsettled(self) -> list[str]:
        """Return the jobs without a record that were not reported as unknown when queried alone."""
        return self._all_except(self.records.keys() | self.gone)

    def _all_except(self, known: AbstractSet[str]) -> list[str]:
        return [job_id for short_id, job_id in self._ids.items() if short_id not in known]

    def query(
        self,
        query: StatusQuery | None,
        job_ids: Sequence[str],
        purpose: str,
        *,
        limit: int | None = None,
        only_ended: bool = False,
    ) -> bool:
        """Query jobs in batches, up to a limit; return whether any answer had a record of a job."""
        if query is None:
            return False
        has_records = False
        chosen = self._order.sort(purpose, job_ids)[:limit]
        for start in range(0, len(chosen), self._batch_size):
            batch = chosen[start : start + self._batch_size]
            result = self._run(query.command(batch))
            self._order.mark(purpose, batch)
            answer = query.read(result)
            if answer.kind is AnswerKind.UNREACHABLE:
                raise NoAnswer(answer.problem)
            if answer.kind is AnswerKind.UNUSABLE:
                self.problem = answer.problem
                break  # the same form of query about other jobs would get no answer either
            has_records |= self._keep(answer, only_ended)
            unknown = answer.unknown & self._ids.keys()
            self._unknown |= unknown
            if len(batch) == 1:
                self.gone |= unknown & {self._short_id(batch[0])}
        return has_records

    def query_each(
        self,
        query: StatusQuery | None,
        job_ids: Sequence[str],
        purpose: str,
        size: int = 1,
        only_ended: bool = False,
    ) -> None:
        """Query some of the jobs with one command for each ``size`` of them, whatever the others answer."""
        chosen = self._order.sort(purpose, job_ids)[: MAX_SINGLE_QUERIES * size]
        for start in range(0, len(chosen), size):
            self.query(query, chosen[start : start + size], purpose, only_ended=only_ended)

    def _keep(self, answer: Answer, only_ended: bool) -> bool:
        has_records = False
        for short_id, record in answer.records.items():
            if short_id in self._ids and (record.terminal or not only_ended):
                has_records = True
                if record.state is not JobState.UNKNOWN or short_id not in self.records:
                    self.records[short_id] = record
        return has_records
