// The page of a run: follows its stream, and keeps the sections that can be seen up to date.
import { fill, h } from "./dom.js";
import { duration, percent } from "./format.js";
import { STANDING } from "./standing.js";
import { Failed } from "./failed.js";
import { Graph } from "./graph.js";
import { Moving } from "./moving.js";
import { Nodes } from "./nodes.js";
import { Slow } from "./slow.js";
import { TaskPage } from "./task.js";
import { Timeline } from "./timeline.js";
import { Waiting } from "./waiting.js";

const KINDS = [Moving, Waiting, Slow, Failed, Nodes, Graph, Timeline];
const RUN = location.pathname.split("/")[2];
/** The least time between two fetches of a section (ms), if it can be seen or not; and how often to check. */
const REFRESH_MS = 2000;
const UNSEEN_REFRESH_MS = 15000;
const RETRY_MS = 5000;
const TICK_MS = 400;

async function get(path) {
  const response = await fetch(`/api/runs/${RUN}/${path}`);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

/** One question: its element, and whether its answer is old. */
class Section {
  constructor(Kind, number) {
    this.body = h("div", {}, h("p", { class: "quiet" }, "Loading ..."));
    this.note = h("span", { class: "quiet" });
    this.title = Kind.title;
    this.element = h("section", { id: Kind.id, tabindex: "-1", "aria-labelledby": `${Kind.id}-title` },
      h("header", {}, h("h2", { id: `${Kind.id}-title` }, Kind.title), this.note), this.body);
    this.link = h("a", { href: `#${Kind.id}`, title: `key ${number}` }, Kind.title);
    this.view = new Kind(this.body, { get, note: (text) => (this.note.textContent = text) });
    this.isSeen = false;
    this.isStale = true;
    this.isBusy = false;
    this.fetchedAt = -UNSEEN_REFRESH_MS;
  }

  async tick(now) {
    const isUrgent = this.isSeen && overview?.is_read; // a long log is read sooner if it is not looked at
    if (!this.isStale || this.isBusy || now - this.fetchedAt < (isUrgent ? REFRESH_MS : UNSEEN_REFRESH_MS)) return;
    this.isBusy = true;
    this.isStale = false;
    this.fetchedAt = now;
    try {
      await this.view.refresh();
    } catch (error) {
      this.note.textContent = error.message;
      this.isStale = true;
    }
    this.isBusy = false;
  }
}

let overview = null;
let receivedAt = 0;

const sections = KINDS.map((Kind, place) => new Section(Kind, place + 1));
const main = document.querySelector("#sections");
const taskMain = document.querySelector("#task");
main.replaceChildren(...sections.map((section) => section.element));
document.querySelector("#nav").replaceChildren(...sections.map((section) => section.link));

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) sections.find((each) => each.element === entry.target).isSeen = entry.isIntersecting;
}, { rootMargin: "150px" });
sections.forEach((section) => seen.observe(section.element));

setInterval(() => {
  if (document.hidden || main.hidden) return;
  for (const section of sections) section.tick(performance.now());
}, TICK_MS);

function showHead() {
  const standing = STANDING[overview.standing];
  const badge = document.querySelector("#standing");
  if (badge.textContent !== standing.short) {
    badge.textContent = standing.short;
    badge.className = `badge is-${standing.name}`;
    badge.title = standing.text;
  }
  const run = overview.run;
  const goesOn = standing.name === "running" ? (performance.now() - receivedAt) / 1000 : 0;
  const parts = [run?.workflow_name, overview.is_read ? duration(overview.elapsed_s + goesOn) : `reading ${percent(overview.share_read)}`];
  if (run) parts.push(`${run.user} on ${run.host}`);
  document.querySelector("#facts").textContent = parts.filter(Boolean).join(" · ");
}

document.querySelector("#run-name").textContent = `Run ${RUN}`;
document.title = `Parsl: run ${RUN}`;

const stream = new EventSource(`/api/runs/${RUN}/stream`);
stream.addEventListener("overview", (event) => {
  overview = JSON.parse(event.data);
  receivedAt = performance.now();
  showHead();
  for (const section of sections) {
    section.isStale = true;
    section.view.takeOverview?.(overview);
  }
});
stream.addEventListener("problem", (event) => {
  stream.close();
  fill(main, h("section", {}, h("h2", {}, "This run cannot be shown"), h("p", {}, JSON.parse(event.data))));
});
stream.addEventListener("error", async () => {
  if (overview) document.querySelector("#facts").textContent = "The dashboard does not answer. Has it ended? This page reconnects by itself.";
  else {
    stream.close();
    const problem = await get("overview").then(() => "The connection was lost. Reload the page.", (error) => error.message);
    fill(main, h("section", {}, h("h2", {}, "This run cannot be shown"), h("p", {}, problem), h("p", { class: "quiet" }, "This page tries again every few seconds.")));
    setTimeout(() => location.reload(), RETRY_MS);
  }
});
setInterval(() => overview && stream.readyState === 1 && showHead(), 1000);

const taskPage = new TaskPage(taskMain, get);

/** Show what the address names: a section, or the page of a task. */
function route() {
  const [, number] = location.hash.match(/^#task\/(\d+)$/) ?? [];
  taskMain.hidden = number === undefined;
  main.hidden = number !== undefined;
  if (number !== undefined) {
    taskPage.show(Number(number));
    window.scrollTo(0, 0);
  } else if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
  markCurrent();
}

function markCurrent() {
  const top = sections.findLast((section) => section.element.getBoundingClientRect().top < 160) ?? sections[0];
  for (const section of sections) {
    if (section === top && !main.hidden) section.link.setAttribute("aria-current", "true");
    else section.link.removeAttribute("aria-current");
  }
}

window.addEventListener("hashchange", route);
document.addEventListener("scroll", markCurrent, { passive: true });
route();

document.querySelector("#find-task").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = event.target.task.value.trim();
  if (/^\d+$/.test(number)) location.hash = `#task/${number}`;
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !taskMain.hidden) history.length > 1 ? history.back() : (location.hash = "#moving");
  if (/^(input|select|textarea)$/i.test(event.target.tagName)) return;
  const section = sections[Number(event.key) - 1];
  if (section) {
    location.hash = section.element.id;
    route();
    section.element.focus({ preventScroll: true });
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector("#find-task input").focus();
  }
});
