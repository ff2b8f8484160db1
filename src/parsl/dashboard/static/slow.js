// What is slow?
import { fill, h, svg, table, taskLink } from "./dom.js";
import { brief, bytes, count, duration, percent } from "./format.js";

/** How many tasks ran for how long, as small columns. */
function shape(counts, from, to) {
  const highest = Math.max(...counts);
  const width = 120;
  const label = `Run times from ${duration(from)} to ${duration(to)}, on a logarithmic scale`;
  const columns = counts.map((number, place) => svg("rect", {
    class: "running", x: (place * width) / counts.length, width: width / counts.length - 0.5,
    y: 20 - (20 * number) / highest, height: (20 * number) / highest,
  }));
  return svg("svg", { width, height: 20, viewBox: `0 0 ${width} 20`, role: "img", "aria-label": label }, svg("title", {}, label), columns);
}

const quantile = (place) => (values) => duration(values?.[place]);

/** A run time; if only the time from the submission to the end is known, that as the upper limit. */
const runTime = (place) => (app) => (app.run ? duration(app.run[place]) : app.at_most ? `≤ ${duration(app.at_most[place])}` : "–");

export class Slow {
  static id = "slow";
  static title = "What is slow?";

  constructor(root, { get }) {
    this.root = root;
    this.get = get;
  }

  async refresh() {
    const answer = await this.get("slow");
    if (!answer.apps.some((app) => app.ended)) {
      fill(this.root, h("p", {}, "No task has ended yet."));
      return;
    }
    const median = quantile(1);
    const high = quantile(2);
    const columns = [
      ["app", (app) => app.name, { row: true }],
      ["ended", (app) => count(app.ended), { n: true }],
      ["run time, median", runTime(1), { n: true }],
      ["95 %", runTime(2), { n: true }],
      ["longest", runTime(3), { n: true }],
      ["run times", (app) => (app.shape ? shape(app.shape.counts, app.shape.from_s, app.shape.to_s) : "–")],
      ["waited for a worker, median", (app) => median(app.queued), { n: true }],
      ["95 %", (app) => high(app.queued), { n: true }],
      ["waited for tasks, median", (app) => median(app.depends), { n: true }],
      ["CPU", (app) => percent(app.cpu), { n: true }],
      ["peak memory", (app) => bytes(app.peak_memory), { n: true }],
    ];
    fill(this.root, table(columns, answer.apps, "Tasks that have ended. 95 % of the tasks took no longer than the column “95 %”. CPU is processor time per run time; more than 100 % means several threads. With “≤”, the executor does not report when tasks start."),
      this.stragglers("Stragglers that are running", answer.running, "No running task takes three times as long as the median of its app."),
      this.stragglers("Stragglers that have ended", answer.ended, "No task took three times as long as the median of its app."));
  }

  stragglers(title, tasks, none) {
    if (!tasks.length) return [h("h3", {}, title), h("p", { class: "quiet" }, none)];
    const columns = [
      ["task", (task) => taskLink(task.id)],
      ["app", (task) => task.app],
      ["ran", (task) => duration(task.run_s), { n: true }],
      ["times the median", (task) => brief(task.ratio), { n: true }],
      ["attempt", (task) => count(task.attempt), { n: true }],
      ["host", (task) => task.host || "–"],
    ];
    return [h("h3", {}, title), table(columns, tasks)];
  }
}
