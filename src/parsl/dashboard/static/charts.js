// Charts over time, drawn by uPlot.

const charts = new Set();

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}


/** Labels of the time axis: [smallest step (s), text, text if the day changes]. */
const TIMES = [
  [86400, "{YYYY}-{MM}-{DD}", null],
  [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}"],
  [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}"],
  [0.001, ":{ss}.{fff}", "\n{HH}:{mm}"],
].map(([step, text, day]) => [step, text, day, null, day, null, null, null, 1]);

export class TimeChart {
  constructor(root, { height = 170, label, series }) {
    this.root = root;
    this.options = { height, series };
    root.setAttribute("role", "img");
    root.setAttribute("aria-label", label);
    this.data = null;
    charts.add(this);
    new ResizeObserver(() => this.resize()).observe(root);
  }

  update(data) {
    this.data = data;
    if (this.plot) this.plot.setData(data);
    else this.draw();
  }

  resize() {
    const width = this.root.clientWidth;
    if (this.plot && width) this.plot.setSize({ width, height: this.options.height });
  }

  draw() {
    this.plot?.destroy();
    const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
    const series = this.options.series.map(({ label, color: name, unit, area }) => ({
      label, stroke: color(name), width: 1.5, fill: area ? `${color(name)}33` : undefined, points: { show: false },
      value: (_, value) => (value == null ? "–" : `${Number(value.toPrecision(3))} ${unit}`),
    }));
    const options = {
      width: this.root.clientWidth || 600, height: this.options.height,
      series: [{ label: "time", value: "{HH}:{mm}:{ss}" }, ...series],
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, values: TIMES, space: 75 }, { ...axis, size: 60 }],
      cursor: { drag: { x: true, y: false } },
    };
    this.plot = new window.uPlot(options, this.data, this.root);
  }
}

// The colours are those of the page: when it turns dark, so do the charts.
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  window.matchMedia(query).addEventListener("change", () => charts.forEach((chart) => chart.data && chart.draw()));
}
