// Is it moving?
import { TimeChart } from "./charts.js";
import { bar, fill, h, table } from "./dom.js";
import { brief, clock, count, counted, duration, percent, rate } from "./format.js";
import { STANDING } from "./standing.js";

export const STATES = [
  ["done", "done"],
  ["failed", "failed"],
  ["running", "running"],
  ["launched", "sent to an executor, not known to be running"],
  ["waiting", "waiting for other tasks"],
];

const parts = (counts) => STATES.map(([name, label]) => [name, counts[name], label]);
const total = (counts) => STATES.reduce((sum, [name]) => sum + counts[name], 0);

function number(value, label) {
  return h("div", {}, h("b", {}, value), h("span", {}, label));
}

export class Moving {
  static id = "moving";
  static title = "Is it moving?";

  constructor(root, { get, note }) {
    this.get = get;
    this.note = note;
    this.messages = h("div", {});
    this.numbers = h("div", {});
    const tasks = h("div", { class: "chart" });
    const busy = h("div", { class: "chart" });
    this.apps = h("div", {});
    fill(root, this.messages, this.numbers, this.apps, h("h3", {}, "Tasks that ended, per second"), tasks, h("h3", {}, "Tasks that ran on a worker"), busy);
    this.ended = new TimeChart(tasks, { label: "Tasks done and failed per second, over the time of the run", series: [
      { label: "done", color: "--done", unit: "/s", area: true }, { label: "failed", color: "--failed", unit: "/s" }] });
    this.running = new TimeChart(busy, { height: 130, label: "Number of tasks that ran, over the time of the run", series: [
      { label: "running", color: "--running", unit: "tasks", area: true }] });
  }

  takeOverview(overview) {
    const standing = STANDING[overview.standing];
    const problems = [...overview.problems];
    if (["lost", "unknown"].includes(standing.name)) problems.unshift(standing.text);
    fill(this.messages, problems.map((text) => h("p", { class: "warn" }, text)));
    this.note(overview.is_read ? "" : `The log is being read: ${percent(overview.share_read)}. Totals are complete, the rest follows.`);
    const { counts } = overview;
    const all = total(counts);
    const ended = counts.done + counts.failed;
    fill(this.numbers, h("div", { class: "numbers" },
      number(`${count(ended)} of ${count(all)}`, `tasks have ended (${all ? percent(Math.floor((100 * ended) / all) / 100) : "–"})`),
      number(count(counts.failed), "failed"),
      number(rate(overview.rate), standing.name === "running" ? "tasks end, lately" : "tasks ended, on average"),
      standing.name === "running" ? number(this.workers(overview), this.workersLabel(overview)) : null,
      this.estimate(overview, standing)),
      bar(parts(counts)),
      h("div", { class: "key" }, STATES.map(([name, label]) => h("span", {}, h("i", { class: name }), `${count(counts[name])} ${label}`))));
    this.showApps(overview);
  }

  workers({ workers }) {
    return workers.number ? `${brief(Math.round(workers.busy))} of ${count(workers.number)}` : brief(workers.busy);
  }

  workersLabel({ workers }) {
    return workers.number ? `workers busy, on ${counted(workers.nodes, "node")}` : "tasks run at once, about";
  }

  estimate({ estimate, until_s: until, counts }, standing) {
    if (standing.name !== "running") return null;
    if (estimate.remaining_s === null) return number("no estimate", `of the end: ${estimate.basis}`);
    if (!counts.waiting && !counts.launched && !counts.running) return number("all ended", "of the tasks submitted so far");
    return number(`${duration(estimate.remaining_s)} left`, `until ${clock(until + estimate.remaining_s)}, ${estimate.basis}, and no more are submitted`);
  }

  showApps(overview) {
    const columns = [
      ["app", (app) => app.name, { row: true }],
      ["", (app) => bar(parts(app), { thin: true }), { class: () => "bar-cell" }],
      ["tasks", (app) => count(app.total), { n: true }],
      ["done", (app) => count(app.done), { n: true }],
      ["failed", (app) => count(app.failed), { n: true, class: (app) => (app.failed ? "bad" : "") }],
      ["running", (app) => count(app.running), { n: true }],
      ["sent", (app) => count(app.launched), { n: true }],
      ["waiting", (app) => count(app.waiting), { n: true }],
      ["median run time", (app) => duration(app.median_s), { n: true }],
      ["longest", (app) => duration(app.max_s), { n: true }],
    ];
    const more = overview.app_count - overview.apps.length;
    fill(this.apps, table(columns, overview.apps, "Tasks by app"), more > 0 ? h("p", { class: "quiet" }, `${counted(more, "more app")} not shown.`) : null);
  }

  async refresh() {
    const answer = await this.get("rates");
    this.ended.update([answer.time_s, answer.done, answer.failed]);
    this.running.update([answer.time_s, answer.running]);
  }
}
