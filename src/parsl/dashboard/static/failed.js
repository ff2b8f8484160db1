// What failed?
import { facts, fill, h, taskLink } from "./dom.js";
import { bytes, clock, count, counted, duration } from "./format.js";

const MAX_TASKS = 8;

/** What failures.jsonl contains about an attempt. */
export function attemptParts(line) {
  return [
    facts([
      ["attempt", line.attempt ? `${line.attempt}${line.retries ? ` of at most ${line.retries + 1}` : ""}: ${line.outcome}` : line.outcome],
      ["error", h("span", { class: "cause" }, `${line.error ?? ""}: ${line.message ?? ""}`)],
      ["when", clock(line.time)],
      ["host", line.host], ["block", line.block], ["manager", line.manager], ["worker", line.worker],
      ["ran", line.ran_s == null ? null : duration(line.ran_s)],
      ["CPU time", line.cpu_s == null ? null : duration(line.cpu_s)],
      ["peak memory", line.peak_memory ? bytes(line.peak_memory) : null],
      ["exit code", line.exit_code], ["signal", line.signal],
      ["stderr", line.stderr], ["stdout", line.stdout], ["log of the manager", line.manager_log],
    ]),
    ...(line.traceback ? [h("h3", {}, "Traceback"), h("pre", { tabindex: "0" }, line.traceback)] : []),
    ...(line.stderr_tail ? [h("h3", {}, "The end of stderr"), h("pre", { tabindex: "0" }, line.stderr_tail)] : []),
  ];
}

export class Failed {
  static id = "failed";
  static title = "What failed?";

  constructor(root, { get, note }) {
    this.root = root;
    this.get = get;
    this.note = note;
    this.causes = new Map();
    this.shown = "";
  }

  async refresh() {
    const answer = await this.get("failures");
    const text = JSON.stringify(answer);
    if (text === this.shown) return;
    this.shown = text;
    if (!answer.groups.length) {
      fill(this.root, h("p", {}, "Nothing has failed."));
      return;
    }
    this.note(`${counted(answer.attempt_count, "failure")}, ${counted(answer.group_count, "cause")}; the costliest first`);
    fill(this.root, answer.groups.map((group) => this.cause(group)),
      answer.group_count > answer.groups.length ? h("p", { class: "quiet" }, `${count(answer.group_count - answer.groups.length)} more causes are not shown.`) : null);
  }

  /** The element of a cause; the same one after each update, so that it stays open. */
  cause(group) {
    let cause = this.causes.get(group.number);
    if (!cause) {
      cause = { head: h("summary", { "data-key": `cause-${group.number}` }), about: h("div", {}), example: h("div", {}) };
      cause.element = h("details", {}, cause.head, cause.about, cause.example);
      cause.element.addEventListener("toggle", () => this.open(cause, group));
      this.causes.set(group.number, cause);
    }
    const costs = [group.failed ? counted(group.failed, "task") : null, group.tried_again ? `${counted(group.tried_again, "attempt")} tried again` : null,
      group.followers ? `${counted(group.followers, "dependent task")} never ran` : null].filter(Boolean).join(", ");
    fill(cause.head, h("b", {}, costs), " · ", group.apps.map(([app]) => app).join(", ") || "–", " · ", h("span", { class: "cause" }, `${group.error}: ${group.pattern}`));
    const hosts = group.hosts.map(([host, number]) => `${host} (${count(number)})`).join(", ");
    fill(cause.about, facts([
      ["between", `${clock(group.first_s)} and ${clock(group.last_s)}`],
      ["hosts", hosts + (group.host_count > group.hosts.length ? `, and ${group.host_count - group.hosts.length} more` : "")],
      ["tasks", h("span", {}, group.tasks.slice(0, MAX_TASKS).flatMap((task) => [taskLink(task), " "]), group.attempts > MAX_TASKS ? "..." : "")],
    ]));
    return cause.element;
  }

  async open(cause, group) {
    if (!cause.element.open || cause.isFetched) return;
    cause.isFetched = true;
    const { attempts } = await this.get(`failures/${group.example}`);
    const title = h("h3", {}, "An example: ", taskLink(group.example));
    const parts = attempts.length ? attempts.map((line) => h("div", {}, attemptParts(line))) : [h("pre", {}, group.message)];
    fill(cause.example, title, parts);
  }
}
