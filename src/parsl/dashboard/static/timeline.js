// What ran where, and when? A row for each worker, drawn on a canvas.
import { fill, h } from "./dom.js";
import { clock, count, counted, duration } from "./format.js";

const ROW = 15;
const TOP = 22;
const LEFT = 190;
const ZOOM = 2;
const TICKS = 8;
/** Colours of apps, in turn: readable on light and dark ground. */
const COLORS = ["#4e79a7", "#59a14f", "#b07aa1", "#edc948", "#76b7b2", "#9c755f", "#f28e2b", "#8c96a3"];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Timeline {
  static id = "timeline";
  static title = "What ran where, and when?";

  constructor(root, { get, note }) {
    this.get = get;
    this.note = note;
    this.window = null;
    this.row = 0;
    this.canvas = h("canvas", { class: "plain", tabindex: "0", role: "img" });
    this.tip = h("div", { class: "tip", hidden: true });
    this.key = h("div", { class: "key" });
    this.rows = h("span", { class: "quiet" });
    this.up = h("button", { type: "button", click: () => this.page(-1) }, "↑ earlier workers");
    this.down = h("button", { type: "button", click: () => this.page(1) }, "↓ more workers");
    const button = (text, label, act) => h("button", { type: "button", "aria-label": label, click: act }, text);
    fill(root, h("div", { class: "tools" },
      button("+", "Zoom in", () => this.zoom(1 / ZOOM)), button("−", "Zoom out", () => this.zoom(ZOOM)),
      button("←", "Earlier", () => this.move(-0.5)), button("→", "Later", () => this.move(0.5)),
      button("whole run", "Show the whole run", () => this.show(null)), this.up, this.down, this.rows),
    this.canvas, this.key, h("p", { class: "quiet" }, "Drag to zoom into a period. With the focus on the picture: + and − zoom, arrows move, 0 shows the whole run. A click on a task shows its page."), this.tip);
    this.listen();
    new ResizeObserver(() => this.answer && this.draw()).observe(root);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.answer && this.draw());
  }

  async refresh() {
    const parameters = new URLSearchParams({ row: this.row });
    if (this.window) {
      parameters.set("from", this.window[0]);
      parameters.set("to", this.window[1]);
    }
    this.answer = await this.get(`timeline?${parameters}`);
    this.row = this.answer.first_row;
    this.draw();
  }

  show(period) {
    this.window = period;
    return this.refresh();
  }

  page(step) {
    this.row = Math.max(0, this.row + step * this.answer.rows.length);
    this.refresh();
  }

  zoom(factor, middle = (this.answer.from_s + this.answer.to_s) / 2) {
    const { from_s: from, to_s: to, began_s: began, until_s: until } = this.answer;
    const [low, high] = [middle - (middle - from) * factor, middle + (to - middle) * factor];
    if (low <= began && high >= until) this.show(null);
    else if (high - low > 1e-4) this.show([Math.max(0, low), high]);
  }

  move(share) {
    const { from_s: from, to_s: to } = this.answer;
    this.show([Math.max(0, from + (to - from) * share), to + (to - from) * share]);
  }

  x(moment) {
    const { from_s: from, to_s: to } = this.answer;
    return LEFT + ((moment - from) / (to - from)) * (this.width - LEFT);
  }

  moment(x) {
    const { from_s: from, to_s: to } = this.answer;
    return from + ((x - LEFT) / (this.width - LEFT)) * (to - from);
  }

  draw() {
    const { answer, canvas } = this;
    this.width = Math.max(canvas.parentElement.clientWidth, 320);
    const height = TOP + Math.max(answer.rows.length, 1) * ROW + 4;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = this.width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    this.context = canvas.getContext("2d");
    this.context.scale(ratio, ratio);
    this.context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    this.grid(height);
    if (answer.tasks) this.tasks();
    else this.busy();
    this.describe();
  }

  grid(height) {
    const { context, answer } = this;
    context.strokeStyle = style("--line");
    context.fillStyle = style("--quiet");
    const span = answer.to_s - answer.from_s;
    for (let tick = 0; tick < TICKS; tick += 1) {
      const moment = answer.from_s + (span * tick) / TICKS;
      const x = this.x(moment);
      context.beginPath();
      context.moveTo(x, TOP - 4);
      context.lineTo(x, height);
      context.stroke();
      context.fillText(span < 5 ? `${clock(moment)}.${String(Math.floor((moment % 1) * 1000)).padStart(3, "0")}` : clock(moment), x + 3, 12);
    }
    context.fillStyle = style("--text");
    answer.rows.forEach((name, row) => context.fillText(name.length > 30 ? `…${name.slice(-29)}` : name, 0, TOP + row * ROW + 11));
  }

  /** Tasks one by one. */
  tasks() {
    const { context } = this;
    for (const [, row, start, end, app, failed] of this.answer.tasks) {
      const from = Math.max(LEFT, this.x(start));
      const to = Math.min(this.width, this.x(end));
      context.fillStyle = failed ? style("--failed") : COLORS[app % COLORS.length];
      context.fillRect(from, TOP + row * ROW + 2, Math.max(0.8, to - from - 0.5), ROW - 4);
    }
  }

  /** The part of each bin in which the worker was busy. */
  busy() {
    const { context, answer } = this;
    const width = (this.width - LEFT) / answer.busy[0].length;
    context.fillStyle = style("--running");
    answer.busy.forEach((shares, row) => shares.forEach((share, bin) => {
      const height = ((ROW - 3) * share) / 100;
      context.fillRect(LEFT + bin * width, TOP + (row + 1) * ROW - 1 - height, width, height);
    }));
  }

  describe() {
    const { answer } = this;
    const period = `${clock(answer.from_s)} to ${clock(answer.to_s)} (${duration(answer.to_s - answer.from_s)})`;
    this.note(`${period}: ${counted(answer.task_count, "task")} on the workers shown`);
    this.canvas.setAttribute("aria-label", `Timeline of ${counted(answer.rows.length, "worker")}, ${period}, ${counted(answer.task_count, "task")}`);
    const last = answer.first_row + answer.rows.length;
    this.rows.textContent = answer.row_count > answer.rows.length ? `workers ${answer.first_row + 1} to ${last} of ${count(answer.row_count)}` : "";
    this.up.hidden = this.down.hidden = answer.row_count <= answer.rows.length;
    this.up.disabled = answer.first_row === 0;
    this.down.disabled = last >= answer.row_count;
    const square = (color, text) => {
      const mark = h("i");
      mark.style.background = color;
      return h("span", {}, mark, text);
    };
    if (!answer.rows.length) fill(this.key, "No task with a known start yet. Executors report starts of tasks that run for a second, and run times of those that have ended.");
    else if (!answer.tasks) fill(this.key, square(style("--running"), "part of the time in which the worker was busy; zoom in to see the tasks"));
    else {
      const apps = [...new Set(answer.tasks.map((task) => task[4]))].sort((a, b) => a - b).slice(0, 24);
      fill(this.key, apps.map((app) => square(COLORS[app % COLORS.length], answer.apps[app] ?? `app ${app}`)), square(style("--failed"), "failed"));
    }
  }

  listen() {
    const { canvas } = this;
    const place = (event) => [event.clientX - canvas.getBoundingClientRect().left, event.clientY - canvas.getBoundingClientRect().top];
    let begin = null;
    canvas.addEventListener("pointerdown", (event) => {
      [begin] = place(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      if (begin !== null && Math.abs(x - begin) > 3) {
        this.draw();
        this.context.fillStyle = `${style("--focus")}33`;
        this.context.fillRect(Math.min(begin, x), TOP, Math.abs(x - begin), canvas.clientHeight);
      } else this.hint(event, this.taskAt(x, y));
    });
    canvas.addEventListener("pointerup", (event) => {
      const [x, y] = place(event);
      if (begin !== null && Math.abs(x - begin) > 5) this.show([this.moment(Math.max(LEFT, Math.min(begin, x))), this.moment(Math.max(begin, x))]);
      else if (this.taskAt(x, y)) location.hash = `#task/${this.taskAt(x, y)[0]}`;
      begin = null;
    });
    canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    canvas.addEventListener("keydown", (event) => {
      const act = { "+": () => this.zoom(1 / ZOOM), "=": () => this.zoom(1 / ZOOM), "-": () => this.zoom(ZOOM), 0: () => this.show(null), ArrowLeft: () => this.move(-0.5), ArrowRight: () => this.move(0.5), ArrowDown: () => this.down.click(), ArrowUp: () => this.up.click() }[event.key];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    });
  }

  taskAt(x, y) {
    const row = Math.floor((y - TOP) / ROW);
    return this.answer?.tasks?.findLast((task) => task[1] === row && this.x(task[2]) - 1 <= x && x <= this.x(task[3]) + 1);
  }

  hint(event, task) {
    this.tip.hidden = !task;
    this.canvas.style.cursor = task ? "pointer" : "crosshair";
    if (!task) return;
    const [number, , start, end, app, failed, runs] = task;
    this.tip.textContent = `task ${number}, ${this.answer.apps[app] ?? ""}: ${runs ? "has run for" : failed ? "failed after" : "ran for"} ${duration(end - start)}, from ${clock(start)}`;
    this.tip.style.left = `${Math.min(event.clientX + 12, window.innerWidth - 280)}px`;
    this.tip.style.top = `${event.clientY + 14}px`;
  }
}
