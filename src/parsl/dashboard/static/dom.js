// Building and replacing parts of the page.

/** Create an element: h("td", {class: "n"}, "text", child). Properties that are functions are listeners. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value == null || value === false) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

/** Replace the content of an element; the element with the focus keeps it if it has a data-key. */
export function fill(root, ...children) {
  const active = document.activeElement;
  const key = root.contains(active) ? active.dataset.key : undefined;
  root.replaceChildren(...children.flat().filter((child) => child != null));
  if (key) root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** A table: columns are [heading, cell(row) -> text or element, options], options: n (number), row (heading). */
export function table(columns, rows, caption) {
  const head = h("tr", {}, columns.map(([text, , options = {}]) => h("th", { scope: "col", class: options.n && "n" }, text)));
  const body = rows.map((row) =>
    h("tr", {}, columns.map(([, cell, options = {}]) => {
      const content = cell(row);
      if (options.row) return h("th", { scope: "row" }, content);
      return h("td", { class: [options.n ? "n" : "", options.class ? options.class(row) : ""].join(" ").trim() || null }, content);
    })),
  );
  return h("div", { class: "scroll" }, h("table", {}, caption ? h("caption", {}, caption) : null, h("thead", {}, head), h("tbody", {}, body)));
}

export const taskLink = (number) => h("a", { href: `#task/${number}`, "data-key": `task-${number}` }, `task ${number}`);

export function facts(pairs) {
  const known = pairs.filter(([, value]) => value != null && value !== "");
  return h("dl", { class: "facts" }, known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** A bar of parts: [class, number, label]. */
export function bar(parts, options = {}) {
  const total = parts.reduce((sum, [, number]) => sum + number, 0) || 1;
  const label = parts.filter(([, number]) => number).map(([, number, name]) => `${number} ${name}`).join(", ") || "none";
  const element = h("div", { class: options.thin ? "bar thin" : "bar", role: "img", "aria-label": label, title: label });
  for (const [name, number] of parts) {
    if (!number) continue;
    const part = h("i", { class: name });
    part.style.width = `${(100 * number) / total}%`;
    part.style.minWidth = "2px";
    element.append(part);
  }
  return element;
}
