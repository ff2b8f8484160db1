"""Asking a scheduler about jobs, with few commands, and believing only what it says."""

from __future__ import annotations

import logging

from parsl.providers.batch.answers import Verdict
from parsl.providers.batch.turns import Turns
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer, JobRecord, Question
    from parsl.providers.batch.dialect import Dialect

logger = logging.getLogger(__name__)

#: Of how many jobs that wait it is asked in a survey whether they can ever run.
MAX_DOUBTED = 100

#: How many jobs are asked about one by one in a survey; the others have their turns in the next ones.
MAX_SINGLE_QUESTIONS = 20


class NoAnswer(Exception):
    """The scheduler does not answer, or there is no time left: the survey ends."""


class Findings:
    """What a survey has found out. About a job that is nowhere in it, nothing is known."""

    def __init__(self) -> None:
        #: By short job id.
        self.records: dict[str, JobRecord] = {}
        #: The short ids of jobs that the scheduler, asked about each of them, does not know.
        self.gone: set[str] = set()
        #: Why there may be less than there should be.
        self.problem: str | None = None

    def __repr__(self) -> str:
        return f"<Findings {len(self.records)} records, {len(self.gone)} gone, {self.problem}>"


class Survey:
    """Asks about jobs in the forms that a dialect offers, and learns which of them gets answers here.

    The best form may be answered for some jobs only, or not at all; the next ones are then tried for the
    jobs that were not mentioned, and one that says more is asked first from then on. Jobs that the
    scheduler does not know are asked about one by one before that is believed. Where a survey cannot come to
    all jobs, those that it has not come to are the first ones in the next.

    Args:
        dialect: How to ask.
        run: Runs a command. It may raise :class:`NoAnswer`.
    """

    def __init__(self, dialect: Dialect, run: Callable[[list[str]], CommandResult]) -> None:
        self._dialect = dialect
        self._run = run
        self._questions = list(dialect.questions())
        self._turns = Turns()
        self._turns_in_history = Turns()
        self._turns_alone = Turns()
        self._turns_for_details = Turns()
        self._turns_in_doubt = Turns()

    def __repr__(self) -> str:
        return f"<Survey {type(self._dialect).__name__}, {len(self._questions)} questions>"

    def ask(self, job_ids: Sequence[str], batch_size: int) -> Findings:
        """Find out about jobs.

        Args:
            job_ids: The jobs, in the form in which the scheduler gave their ids.
            batch_size: About how many to ask with one command.
        """
        round_ = _Round(self._dialect, self._run, job_ids, batch_size)
        for turns in self._all_turns():
            turns.begin_round(job_ids)
        try:
            self._ask_for_all(round_)
            self._ask_history(round_)
            self._ask_one_by_one(round_)
            self._ask_details(round_)
            self._ask_doubts(round_)
        except NoAnswer as error:
            round_.findings.problem = str(error)
        return round_.conclude()

    def _all_turns(self) -> tuple[Turns, ...]:
        return (
            self._turns,
            self._turns_in_history,
            self._turns_alone,
            self._turns_for_details,
            self._turns_in_doubt,
        )

    def _ask_for_all(self, round_: _Round) -> None:
        for question in list(self._questions):
            unmentioned = self._turns.line_up(round_.unmentioned())
            if not unmentioned:
                return
            if round_.ask(question, unmentioned, self._turns) and question is not self._questions[0]:
                self._questions.remove(question)
                self._questions.insert(0, question)
                logger.debug("%r now asks with %s", self, question.command(["ID"]))

    def _ask_history(self, round_: _Round) -> None:
        question = self._dialect.history_question()
        size = self._dialect.history_batch_size
        missing = self._turns_in_history.line_up(round_.without_record())[: MAX_SINGLE_QUESTIONS * size]
        if question is None or not missing:
            return
        try:
            for start in range(0, len(missing), size):
                batch = missing[start : start + size]
                round_.ask(question, batch, self._turns_in_history, only_ends=True)
        except NoAnswer as error:
            logger.debug("The history of jobs cannot be asked: %s", error)

    def _ask_one_by_one(self, round_: _Round) -> None:
        question = self._dialect.single_question() or self._questions[0]
        for job_id in self._turns_alone.line_up(round_.unsettled())[:MAX_SINGLE_QUESTIONS]:
            round_.ask_single(question, job_id, self._turns_alone)

    def _ask_details(self, round_: _Round) -> None:
        question = self._dialect.detail_question()
        if question is None:
            return
        wanting = [job_id for job_id, record in round_.recorded() if self._dialect.wants_detail(record)]
        for job_id in self._turns_for_details.line_up(wanting)[:MAX_SINGLE_QUESTIONS]:
            round_.ask(question, [job_id], self._turns_for_details)

    def _ask_doubts(self, round_: _Round) -> None:
        question = self._dialect.doubt_question()
        if question is None:
            return
        waiting = [job_id for job_id, record in round_.recorded() if record.state is JobState.PENDING]
        if doubted := self._turns_in_doubt.line_up(waiting)[:MAX_DOUBTED]:
            round_.ask(question, doubted, self._turns_in_doubt)


class _Round:
    """One survey: what has been asked for, and what is known by now."""

    def __init__(
        self,
        dialect: Dialect,
        run: Callable[[list[str]], CommandResult],
        job_ids: Sequence[str],
        batch_size: int,
    ) -> None:
        self.findings = Findings()
        self._dialect = dialect
        self._run = run
        self._batch_size = batch_size
        self._ids = {dialect.short_id(job_id): job_id for job_id in job_ids}
        self._unknown: set[str] = set()
        self._unknown_alone: set[str] = set()

    def conclude(self) -> Findings:
        self.findings.gone = self._unknown_alone - self.findings.records.keys()
        if not self.unsettled():
            self.findings.problem = None  # one form of the question got no answer, and another one did
        return self.findings

    def without_record(self) -> list[str]:
        return self._others_than(self.findings.records.keys())

    def unmentioned(self) -> list[str]:
        """Jobs of which the scheduler has not even said that it does not know them."""
        return self._others_than(self.findings.records.keys() | self._unknown)

    def unsettled(self) -> list[str]:
        """Jobs without a record that were not asked about alone, in vain."""
        return self._others_than(self.findings.records.keys() | self._unknown_alone)

    def _others_than(self, known: AbstractSet[str]) -> list[str]:
        return [job_id for short_id, job_id in self._ids.items() if short_id not in known]

    def recorded(self) -> list[tuple[str, JobRecord]]:
        return [(self._ids[short_id], record) for short_id, record in self.findings.records.items()]

    def ask(
        self, question: Question, job_ids: Sequence[str], turns: Turns, *, only_ends: bool = False
    ) -> bool:
        """Ask a question, in batches.

        Returns:
            Whether that has told of any job.
        """
        has_told = False
        for start in range(0, len(job_ids), self._batch_size):
            batch = job_ids[start : start + self._batch_size]
            answer = self._ask(question, batch, turns)
            if answer.verdict is Verdict.UNUSABLE:
                break  # the same question about other jobs would not be answered either
            for short_id, record in answer.records.items():
                if short_id in self._ids and (record.terminal or not only_ends):
                    self._note(short_id, record)
                    has_told = True
            self._note_unknown(answer, batch)
        return has_told

    def _note(self, short_id: str, record: JobRecord) -> None:
        if record.state is not JobState.UNKNOWN or short_id not in self.findings.records:
            self.findings.records[short_id] = record

    def ask_single(self, question: Question, job_id: str, turns: Turns) -> None:
        answer = self._ask(question, [job_id], turns)
        short_id = self._dialect.short_id(job_id)
        if short_id in answer.records:
            self.findings.records[short_id] = answer.records[short_id]
        self._note_unknown(answer, [job_id])

    def _note_unknown(self, answer: Answer, batch: Sequence[str]) -> None:
        unknown = answer.unknown & self._ids.keys()
        self._unknown |= unknown
        if len(batch) == 1 and self._dialect.short_id(batch[0]) in unknown:
            self._unknown_alone |= unknown

    def _ask(self, question: Question, job_ids: Sequence[str], turns: Turns) -> Answer:
        result = self._run(question.command(job_ids))
        turns.took(job_ids)
        answer = question.read(result)
        if answer.verdict is Verdict.UNREACHABLE:
            raise NoAnswer(answer.problem)
        if answer.problem:
            self.findings.problem = answer.problem
        return answer
