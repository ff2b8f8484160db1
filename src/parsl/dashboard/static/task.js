// The page of a task.
import { facts, fill, h, taskLink } from "./dom.js";
import { bytes, clock, count, duration, moment, percent } from "./format.js";
import { attemptParts } from "./failed.js";

/** The states of tasks, in words. */
const WORDS = {
  pending: "waiting for other tasks", launched: "sent to an executor", running: "running", joining: "waiting for the futures that it has returned",
  running_ended: "has stopped running", exec_done: "done", memo_done: "done: memoized, the result was known already", failed: "failed", dep_fail: "never ran, because a dependency failed",
  fail_retryable: "an attempt failed, another one follows",
};

function neighbours(title, tasks, number) {
  if (!number) return null;
  const items = tasks.map((task) => h("li", {}, taskLink(task.id), ` ${task.app} – ${WORDS[task.state] ?? "not known yet"}`));
  return [h("h3", {}, `${title} (${count(number)})`), h("ul", {}, items), number > tasks.length ? h("p", { class: "quiet" }, `${count(number - tasks.length)} more`) : null];
}

function life(task) {
  const ended = task.returned_s;
  const runs = task.started_s != null && ended == null;
  const ran = task.started_s == null ? null : (ended ?? task.until_s) - task.started_s;
  return facts([
    ["state", WORDS[task.state] ?? task.state],
    ["label", task.label],
    ["called", moment(task.invoked_s)],
    ["waited for tasks", task.launched_s == null ? null : duration(task.launched_s - task.invoked_s)],
    ["sent to its executor", task.launched_s == null ? null : `${clock(task.launched_s)} (${task.executor})`],
    ["waited for a worker", task.started_s == null || task.launched_s == null ? null : duration(task.started_s - task.launched_s)],
    ["started", task.started_s == null ? null : clock(task.started_s)],
    [runs ? "has run for" : "ran for", ran == null ? null : duration(ran)],
    ["ended", ended == null ? null : clock(ended)],
    ["attempt", count(task.attempt)],
    ["host", task.host],
    ["block, manager, worker", task.manager ? `${task.block}, ${task.manager}, ${task.worker ?? "–"}` : null],
    ["CPU time", task.cpu_s == null ? null : `${duration(task.cpu_s)}${ran ? ` (${percent(task.cpu_s / ran)} of its run time)` : ""}`],
    ["peak memory", task.peak_memory ? bytes(task.peak_memory) : null],
    ["stdout", task.stdout], ["stderr", task.stderr], ["inputs", task.inputs], ["outputs", task.outputs],
  ]);
}

export class TaskPage {
  constructor(root, get) {
    this.root = root;
    this.get = get;
  }

  async show(number) {
    const back = h("p", {}, h("a", { href: "#moving" }, "← Back to the run"));
    fill(this.root, back, h("p", { class: "quiet" }, "Loading ..."));
    try {
      const [task, { attempts }] = await Promise.all([this.get(`task/${number}`), this.get(`failures/${number}`)]);
      fill(this.root, back, this.task(task, attempts));
    } catch (error) {
      fill(this.root, back, h("section", {}, h("h2", {}, `Task ${number}`), h("p", {}, error.message)));
    }
  }

  task(task, attempts) {
    const failures = attempts.length ? attempts.map((line) => h("div", {}, attemptParts({ cpu_s: task.failures.find(({ attempt }) => attempt === line.attempt)?.cpu_s, ...line })))
      : task.failures.map((failure) => facts([["attempt", `${failure.attempt}: ${failure.outcome}`], ["error", `${failure.error}: ${failure.message}`], ["when", clock(failure.time_s)], ["host", failure.host], ["ran for", failure.run_s == null ? null : duration(failure.run_s)], ["CPU time", failure.cpu_s == null ? null : duration(failure.cpu_s)], ["peak memory", failure.peak_memory ? bytes(failure.peak_memory) : null]]));
    const root = task.failures.find((failure) => failure.root_task != null)?.root_task;
    return h("section", { "aria-labelledby": "task-title" },
      h("header", {}, h("h2", { id: "task-title" }, `Task ${task.id}: ${task.app}`)), life(task),
      root == null ? null : h("p", {}, "The task that failed first: ", taskLink(root)),
      failures.length ? [h("h3", {}, "Attempts that failed"), ...failures] : null,
      neighbours("This task depends on", task.before, task.before_count),
      neighbours("Tasks that depend on this one", task.after, task.after_count),
      neighbours("This task returned the futures of", task.joins, task.joins.length),
      this.samples(task.samples));
  }

  samples(samples) {
    if (!samples.length) return null;
    const last = samples.at(-1);
    const most = Math.max(...samples.map(([, memory]) => memory));
    return [h("h3", {}, "Resource samples"), h("p", {}, `${count(samples.length)} samples; memory at most ${bytes(most)}; at ${clock(last[0])}: ${bytes(last[1])}, ${duration(last[2])} of CPU time.`)];
  }
}
