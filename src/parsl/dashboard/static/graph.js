// What depends on what?
import { fill, h, svg } from "./dom.js";
import { count, counted } from "./format.js";
import { STATES } from "./moving.js";

const BOX = { width: 150, height: 46, gapX: 70, gapY: 20, top: 26, left: 8 };
const MAX_NAME = 20;

const short = (name) => (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name);

export class Graph {
  static id = "graph";
  static title = "What depends on what?";

  constructor(root, { get, note }) {
    this.root = root;
    this.get = get;
    this.note = note;
    this.shown = "";
  }

  async refresh() {
    const answer = await this.get("graph");
    const text = JSON.stringify(answer);
    if (text === this.shown) return;
    this.shown = text;
    if (!answer.groups.length) {
      fill(this.root, h("p", {}, "No task has been submitted yet."));
      return;
    }
    this.note(`${counted(answer.edge_count, "dependency").replace("dependencys", "dependencies")}, ${counted(answer.level_count, "level")}`);
    const scroll = this.root.querySelector(".scroll")?.scrollLeft ?? 0;
    fill(this.root, h("p", { class: "quiet" }, "Each box stands for the tasks of an app at a level: those that wait for no other task are at level 0. Click on a box to see one of its tasks, with its neighbours."), h("div", { class: "scroll" }, this.picture(answer)));
    this.root.querySelector(".scroll").scrollLeft = scroll;
  }

  picture(answer) {
    const rows = this.rows(answer.groups);
    const place = (group) => ({ x: BOX.left + group.column * (BOX.width + BOX.gapX), y: BOX.top + rows.get(group.id) * (BOX.height + BOX.gapY) });
    const byId = new Map(answer.groups.map((group) => [group.id, group]));
    const width = BOX.left * 2 + answer.columns.length * (BOX.width + BOX.gapX) - BOX.gapX;
    const height = BOX.top + (Math.max(...rows.values()) + 1) * (BOX.height + BOX.gapY);
    const most = Math.max(1, ...answer.edges.map(([, , number]) => number));
    const edges = answer.edges.map(([from, to, number]) => this.edge(place(byId.get(from)), place(byId.get(to)), number, most, byId.get(from), byId.get(to)));
    const heads = answer.columns.map(([first, last], column) => svg("text", { class: "quiet", x: BOX.left + column * (BOX.width + BOX.gapX), y: 14 }, first === last ? `level ${first}` : `levels ${count(first)} – ${count(last)}`));
    return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Graph of apps and their dependencies" }, heads, edges, answer.groups.map((group) => this.box(group, place(group))));
  }

  /** Return the row of each group: below each other within a column. */
  rows(groups) {
    const used = new Map();
    const rows = new Map();
    for (const group of [...groups].sort((a, b) => a.row - b.row)) {
      rows.set(group.id, used.get(group.column) ?? 0);
      used.set(group.column, rows.get(group.id) + 1);
    }
    return rows;
  }

  edge(from, to, number, most, source, target) {
    const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
    const [x2, y2] = [to.x, to.y + BOX.height / 2];
    const bend = Math.max(30, Math.abs(x2 - x1) / 2);
    const path = svg("path", { class: "edge", d: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}` });
    path.style.strokeWidth = 1 + (5 * Math.log(1 + number)) / Math.log(1 + most);
    path.append(svg("title", {}, `${source.name} → ${target.name}: ${count(number)} dependencies`));
    return path;
  }

  box(group, { x, y }) {
    const label = `${group.name}: ${counted(group.count, "task")}, ` + STATES.filter(([name]) => group[name]).map(([name, text]) => `${count(group[name])} ${text}`).join(", ");
    let at = 0;
    const bars = STATES.map(([name]) => {
      const width = ((BOX.width - 16) * group[name]) / group.count;
      at += width;
      return width ? svg("rect", { class: name, x: 8 + at - width, y: 33, width, height: 6 }) : null;
    });
    return svg("a", { href: `#task/${group.tasks[0]}`, transform: `translate(${x},${y})`, "aria-label": label, "data-key": `group-${group.id}` },
      svg("title", {}, label), svg("rect", { class: "box", width: BOX.width, height: BOX.height, rx: 4 }),
      svg("text", { x: 8, y: 16 }, short(group.name)), svg("text", { class: "quiet", x: 8, y: 29 }, counted(group.count, "task")), bars);
  }
}
