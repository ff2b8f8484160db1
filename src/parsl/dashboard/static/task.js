// The page of a task.
import { fill, h } from "./dom.js";
import { attemptParts } from "./failed.js";

export class TaskPage {
  constructor(root, get) {
    this.root = root;
    this.get = get;
  }

  async show(number) {
    fill(this.root, h("p", { class: "quiet" }, "Loading ..."));
    const { attempts } = await this.get(`failures/${number}`);
    fill(this.root, h("section", {}, h("h2", {}, `Task ${number}`), attempts.length ? attempts.map((line) => h("div", {}, attemptParts(line))) : h("p", {}, "No attempt of this task has failed.")));
  }
}
