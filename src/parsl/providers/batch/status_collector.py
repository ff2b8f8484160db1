"""Querying a scheduler about many jobs with few commands, and trusting only explicit answers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from parsl.providers.batch.answers import Answer, AnswerKind, JobRecord, StatusQuery
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.scheduler import NoAnswer, StatusCommands
from parsl.vocabulary.job_states import JobState

logger = logging.getLogger(__name__)

#: How many pending jobs a collection checks for whether they can ever run.
MAX_FEASIBILITY_CHECKS = 100
#: How many jobs a collection queries one by one; later collections query the others.
MAX_SINGLE_QUERIES = 20


class Findings:
    """The results of one collection. Nothing is known about a job that they do not mention."""

    def __init__(self) -> None:
        #: By short job id.
        self.records: dict[str, JobRecord] = {}
        #: The short ids of jobs that the scheduler, queried for each of them alone, does not know.
        self.gone: set[str] = set()
        #: Why the results may be incomplete.
        self.problem: str | None = None


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

    def collect(self, commands: StatusCommands, job_ids: Sequence[str], batch_size: int) -> Findings:
        """Query jobs, given as the scheduler printed their ids, with commands of ``batch_size`` jobs each."""
        collection = _Collection(self._dialect, self._order, commands, job_ids, batch_size)
        self._order.start_round(job_ids)
        try:
            self._query_all(collection)
            self._query_history(collection)
            self._query_one_by_one(collection)
            self._query_details(collection)
            self._query_feasibility(collection)
        except NoAnswer as error:
            collection.findings.problem = str(error)
        return collection.conclude()

    def _query_all(self, collection: _Collection) -> None:
        for query in list(self._queries):
            omitted = self._order.sort("status", collection.omitted())
            if not omitted:
                return
            if collection.query(query, omitted, "status") and query is not self._queries[0]:
                self._queries.remove(query)
                self._queries.insert(0, query)
                logger.debug("The first query is now %s", query.command(["ID"]))

    def _query_history(self, collection: _Collection) -> None:
        query, size = self._dialect.history_query, self._dialect.history_batch_size
        missing = self._order.sort("history", collection.without_record())[: MAX_SINGLE_QUERIES * size]
        if query is None:
            return
        try:
            for start in range(0, len(missing), size):
                collection.query(query, missing[start : start + size], "history", only_ended=True)
        except NoAnswer as error:
            logger.debug("The history of jobs does not answer: %s", error)

    def _query_one_by_one(self, collection: _Collection) -> None:
        query = self._dialect.existence_query or self._queries[0]
        for job_id in self._order.sort("existence", collection.unsettled())[:MAX_SINGLE_QUERIES]:
            collection.query(query, [job_id], "existence")

    def _query_details(self, collection: _Collection) -> None:
        query = self._dialect.detail_query
        if query is None:
            return
        needing = [job_id for job_id, record in collection.recorded() if self._dialect.needs_detail(record)]
        for job_id in self._order.sort("detail", needing)[:MAX_SINGLE_QUERIES]:
            collection.query(query, [job_id], "detail")

    def _query_feasibility(self, collection: _Collection) -> None:
        query = self._dialect.feasibility_query
        if query is None:
            return
        pending = [job_id for job_id, record in collection.recorded() if record.state is JobState.PENDING]
        if checked := self._order.sort("feasibility", pending)[:MAX_FEASIBILITY_CHECKS]:
            collection.query(query, checked, "feasibility")


class _Collection:
    """One collection in progress: the jobs in question, and what is known about them so far."""

    def __init__(
        self,
        dialect: Dialect,
        order: LeastRecentFirst,
        commands: StatusCommands,
        job_ids: Sequence[str],
        batch_size: int,
    ) -> None:
        self.findings = Findings()
        self._dialect = dialect
        self._order = order
        self._commands = commands
        self._batch_size = batch_size
        self._ids = {dialect.short_id(job_id): job_id for job_id in job_ids}
        self._unknown: set[str] = set()
        self._unknown_alone: set[str] = set()

    def conclude(self) -> Findings:
        self.findings.gone = self._unknown_alone - self.findings.records.keys()
        if not self.unsettled():
            self.findings.problem = None  # one form of the query got no answer, but another one did
        return self.findings

    def without_record(self) -> list[str]:
        return self._all_except(self.findings.records.keys())

    def omitted(self) -> list[str]:
        """Return the jobs that no answer has mentioned, not even as unknown."""
        return self._all_except(self.findings.records.keys() | self._unknown)

    def unsettled(self) -> list[str]:
        """Return the jobs without a record that were not reported as unknown when queried alone."""
        return self._all_except(self.findings.records.keys() | self._unknown_alone)

    def _all_except(self, known: AbstractSet[str]) -> list[str]:
        return [job_id for short_id, job_id in self._ids.items() if short_id not in known]

    def recorded(self) -> list[tuple[str, JobRecord]]:
        return [(self._ids[short_id], record) for short_id, record in self.findings.records.items()]

    def query(
        self, query: StatusQuery, job_ids: Sequence[str], purpose: str, *, only_ended: bool = False
    ) -> bool:
        """Query jobs in batches; return whether any answer had a record of a job."""
        has_records = False
        for start in range(0, len(job_ids), self._batch_size):
            batch = job_ids[start : start + self._batch_size]
            answer = self._run(query, batch, purpose)
            if answer.kind is AnswerKind.UNUSABLE:
                break  # the same form of query about other jobs would get no answer either
            for short_id, record in answer.records.items():
                if short_id in self._ids and (record.terminal or not only_ended):
                    has_records = True
                    if record.state is not JobState.UNKNOWN or short_id not in self.findings.records:
                        self.findings.records[short_id] = record
            self._note_unknown(answer, batch)
        return has_records

    def _note_unknown(self, answer: Answer, batch: Sequence[str]) -> None:
        unknown = answer.unknown & self._ids.keys()
        self._unknown |= unknown
        if len(batch) == 1 and self._dialect.short_id(batch[0]) in unknown:
            self._unknown_alone |= unknown

    def _run(self, query: StatusQuery, job_ids: Sequence[str], purpose: str) -> Answer:
        result = self._commands.run(query.command(job_ids))
        self._order.mark(purpose, job_ids)
        answer = query.read(result)
        if answer.kind is AnswerKind.UNREACHABLE:
            raise NoAnswer(answer.problem)
        if answer.problem:
            self.findings.problem = answer.problem
        return answer
