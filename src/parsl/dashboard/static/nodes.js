// How well are the nodes used?
import { fill, h, svg, table } from "./dom.js";
import { bytes, clock, count, counted, percent } from "./format.js";

const WIDTH = 360;
const HEIGHT = 18;

/** The part of the workers that was busy over time, as a small area. */
function busy(node, answer) {
  const step = WIDTH / node.busy.length;
  const points = node.busy.flatMap((share, place) => [`${place * step},${HEIGHT - share * HEIGHT}`, `${(place + 1) * step},${HEIGHT - share * HEIGHT}`]);
  const label = `Busy workers of ${node.host} between ${clock(answer.from_s)} and ${clock(answer.to_s)}; ${percent(node.used)} on average`;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "strip", role: "img", "aria-label": label },
    svg("title", {}, label), svg("rect", { class: "empty", width: WIDTH, height: HEIGHT }),
    svg("polygon", { class: "use", points: `0,${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}` }));
}

export class Nodes {
  static id = "nodes";
  static title = "How well are the nodes used?";

  constructor(root, { get, note }) {
    this.root = root;
    this.get = get;
    this.note = note;
  }

  async refresh() {
    const answer = await this.get("nodes");
    if (!answer.nodes.length) {
      fill(this.root, h("p", {}, "No manager has connected: the run uses no nodes, or none yet. Tasks in threads or processes of the driver are in the timeline."));
      return;
    }
    const connected = answer.nodes.filter((node) => node.is_connected);
    const workers = answer.nodes.reduce((sum, node) => sum + node.workers, 0);
    const used = answer.nodes.reduce((sum, node) => sum + node.used * node.workers, 0) / Math.max(workers, 1);
    this.note(`${counted(answer.node_count, "node")}, ${percent(used)} of the workers' time used`);
    const columns = [
      ["node", (node) => node.host, { row: true }],
      ["block", (node) => `${node.executor} ${node.block}`],
      ["workers", (node) => count(node.workers), { n: true }],
      ["GPUs", (node) => (node.accelerators ? count(node.accelerators) : "–"), { n: true }],
      [`workers busy, ${clock(answer.from_s)} to ${clock(answer.to_s)}`, (node) => busy(node, answer), { class: () => "strip-cell" }],
      ["used", (node) => percent(node.used), { n: true }],
      ["tasks", (node) => count(node.tasks), { n: true }],
      ["CPU per task", (node) => percent(node.cpu), { n: true }],
      ["largest task", (node) => bytes(node.peak_memory), { n: true }],
      ["memory", (node) => bytes(node.total_memory), { n: true }],
      ["", (node) => (node.is_connected ? "" : "gone")],
    ];
    const notes = ["“Used” is the share of the time since the node connected in which its workers ran tasks. CPU per task is processor time per run time of its tasks. The largest task is the peak memory of one task; GPUs count tiles that workers use."];
    if (answer.node_count > answer.nodes.length) notes.push(`${count(answer.node_count - answer.nodes.length)} more nodes are not shown.`);
    if (answer.elsewhere) notes.push(`${counted(answer.elsewhere, "task")} ran outside these nodes, for example in threads of the driver.`);
    fill(this.root, table(columns, answer.nodes, connected.length < answer.nodes.length ? "Nodes that are gone come last." : null), notes.map((text) => h("p", { class: "quiet" }, text)));
  }
}
