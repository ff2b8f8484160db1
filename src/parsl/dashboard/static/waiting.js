// Why is nothing running?
import { fill, h, table } from "./dom.js";
import { bytes, clock, count, counted, duration } from "./format.js";

const BLOCK = { RUNNING: "is-running", PENDING: "is-unknown", COMPLETED: "is-ended", SCALED_IN: "is-ended" };

export class Waiting {
  static id = "waiting";
  static title = "Why is nothing running?";

  constructor(root, { get }) {
    this.root = root;
    this.get = get;
  }

  async refresh() {
    const answer = await this.get("waiting");
    const reasons = answer.is_over ? [h("p", {}, "The run is over: nothing waits.")]
      : answer.reasons.length ? [h("ul", { class: "reasons" }, answer.reasons.map((reason) => h("li", {}, reason)))]
      : [h("p", {}, "Nothing waits: every submitted task is running, or has ended.")];
    fill(this.root, reasons, this.blocks(answer), this.nodes(answer), this.changes(answer));
  }

  blocks(answer) {
    if (!answer.blocks.length) return h("p", { class: "quiet" }, "This run has no blocks: its executors start no batch jobs.");
    const columns = [
      ["block", (block) => `${block.executor} ${block.block}`, { row: true }],
      ["job", (block) => block.job || "–"],
      ["state", (block) => h("span", { class: `badge ${BLOCK[block.state] ?? "is-lost"}` }, block.state.toLowerCase().replace("_", " "))],
      ["since", (block) => `${clock(block.since_s)} (${duration(Math.max(0, answer.until_s - block.since_s))})`],
      ["the scheduler's reason", (block) => block.reason || "–"],
      ["nodes", (block) => count(block.nodes), { n: true }],
      ["workers", (block) => count(block.workers), { n: true }],
    ];
    return [h("h3", {}, "Blocks"), table(columns, answer.blocks, answer.block_count > answer.blocks.length ? `${answer.blocks.length} of ${count(answer.block_count)}` : null)];
  }

  nodes(answer) {
    if (!answer.nodes.length) return null;
    const gone = answer.nodes.filter((node) => !node.is_connected).length;
    const columns = [
      ["node", (node) => node.host, { row: true }],
      ["block", (node) => `${node.executor} ${node.block}`],
      ["manager", (node) => node.manager],
      ["connection", (node) => (node.is_connected ? "connected" : "gone")],
      ["standing", (node) => node.standing || "–"],
      ["workers", (node) => count(node.workers), { n: true }],
      ["tasks known to run", (node) => count(node.running), { n: true }],
      ["memory", (node) => bytes(node.total_memory), { n: true }],
    ];
    return h("details", { open: answer.nodes.length <= 12 }, h("summary", {}, `Managers: ${counted(answer.node_count - gone, "node")} connected, ${gone} gone`), table(columns, answer.nodes));
  }

  changes(answer) {
    if (!answer.changes.length) return null;
    return [h("h3", {}, "Nodes quarantined, or used again"),
      table([["time", (change) => clock(change.time_s)], ["node", (change) => `${change.executor} ${change.host}`], ["what", (change) => change.text]], answer.changes)];
  }
}
