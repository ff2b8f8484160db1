// The list of runs.
import { bar, fill, h, table } from "./dom.js";
import { count, duration, moment } from "./format.js";
import { STANDING } from "./standing.js";

const root = document.querySelector("#runs");
let shown = "";

function nothing(path) {
  return h("section", {}, h("h2", {}, "There are no runs here yet"),
    h("p", {}, `Each run makes a directory in Config.run_dir, "runinfo" by default. This page watches ${path}, and shows a run as soon as it begins.`),
    h("p", {}, "If your runs are elsewhere, end the dashboard with Ctrl-C and name their directory:"),
    h("pre", {}, "parsl dashboard DIRECTORY"),
    h("p", {}, "A first run, to try it: "), h("pre", {}, "python -m parsl perf --time 30"));
}

function runs(answer) {
  const known = answer.runs.filter((run) => run.standing in STANDING).sort((a, b) => b.began_s - a.began_s);
  const others = answer.runs.filter((run) => !(run.standing in STANDING));
  const columns = [
    ["run", (run) => h("a", { href: `/run/${run.name}/`, "data-key": run.name }, run.name), { row: true }],
    ["script", (run) => run.workflow],
    ["state", (run) => h("span", { class: `badge is-${STANDING[run.standing].name}` }, STANDING[run.standing].short)],
    ["began", (run) => moment(run.began_s)],
    ["lasted", (run) => duration((run.ended_s ?? Date.now() / 1000) - run.began_s), { n: true }],
    ["tasks", (run) => count(run.done + run.failed + run.unfinished), { n: true }],
    ["failed", (run) => count(run.failed), { n: true, class: (run) => (run.failed ? "bad" : "") }],
    ["", (run) => bar([["done", run.done, "done"], ["failed", run.failed, "failed"], ["waiting", run.unfinished, "not ended"]], { thin: true }), { class: () => "bar-cell" }],
  ];
  const parts = [h("section", {}, table(columns, known, "The newest run is first."))];
  if (answer.count > answer.runs.length) parts.push(h("p", { class: "quiet" }, `${count(answer.count - answer.runs.length)} older runs are not listed. Name their directory: parsl dashboard DIRECTORY/NUMBER`));
  if (others.length) parts.push(h("section", {}, h("h3", {}, "Directories without a readable event log"), h("ul", {}, others.map((run) => h("li", {}, `${run.name}: ${run.standing}`)))));
  return parts;
}

async function update() {
  try {
    const response = await fetch("/api/runs");
    const text = await response.text();
    if (text !== shown) {
      shown = text;
      const answer = JSON.parse(text);
      document.querySelector("#path").textContent = answer.path;
      fill(root, ...(answer.runs.length ? runs(answer) : [nothing(answer.path)]));
    }
  } catch {
    if (shown !== "lost") fill(root, h("p", { class: "warn" }, "The dashboard does not answer. Has it ended? This page reconnects by itself."));
    shown = "lost";
  }
  setTimeout(update, document.hidden ? 10000 : 2000);
}

update();
