// Results: the runs of some experiments side by side, as a table and as curves.

const RESULT_NAMES = { training_score: "Training score", evaluation_score: "Evaluation score" };
const RESULT_BOX = { width: 420, height: 190, left: 46, right: 12, top: 10, bottom: 22 };
const RESULT_DASHES = ["", "7 3", "2 3"];
const RESULT_COLOURS = 5; // of the style sheet; a mark and a dash tell the lines apart as well
// Marks on a grid around 0,0.
const RESULT_MARKS = [
  "M0-3.5A3.5 3.5 0 1 0 0 3.5A3.5 3.5 0 1 0 0-3.5z",
  "M-3.200-3.200H3.200V3.200H-3.200z",
  "M0-4L4 3.200H-4z",
  "M0-4.200L4.200 0 0 4.200-4.200 0z",
  "M-4-3.200H4L0 4z",
];

/** How a run is drawn: the same in every chart, by its place among the runs that are drawn. */
const resultStyle = (at) => ({
  colour: at % RESULT_COLOURS,
  dash: RESULT_DASHES[(at + Math.floor(at / RESULT_COLOURS)) % RESULT_DASHES.length],
  mark: RESULT_MARKS[at % RESULT_MARKS.length],
  hollow: Math.floor(at / RESULT_MARKS.length) % 2 === 1,
});

/** Steps of 1, 2 or 5 times a power of ten, of which a few lie between two values. */
function resultTicks(low, high, about, whole = false) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  let step = [1, 2, 5, 10].find((times) => times * power >= raw) * power;
  if (whole) step = Math.max(1, step);
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) ticks.push(Number((n * step).toPrecision(12)));
  return ticks;
}

/** Say a tick in few letters. */
function resultTick(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return size && size < 1e-3 ? Number(value.toPrecision(3)).toExponential() : score(value);
}

const resultDrawn = (points) => points.filter(([, value]) => value !== null);

function resultMark(style, x, y, scale = 1) {
  return svg("path", {
    d: style.mark, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale})`,
    class: `pw-results-mark pw-results-c${style.colour}${style.hollow ? " pw-results-hollow" : ""}`,
  });
}

function resultLine(style, d) {
  return svg("path", { d, class: `pw-results-line pw-results-c${style.colour}`, "stroke-dasharray": style.dash || undefined });
}

/** The picture of one metric: `series` are {name, of, run, points, style}. */
function resultPicture(metric, series) {
  const { width, height, left, right, top, bottom } = RESULT_BOX;
  const all = series.flatMap(({ points }) => resultDrawn(points));
  const said = series.map(({ name, points }) => `${name}: ${resultLast(points)}`).join("; ");
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "pw-results-picture", role: "img", "aria-label": `${metric} by step. ${said}` });
  if (!all.length) return picture;
  const range = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (low < high) return [low, high];
    const room = Math.abs(low) * 0.1 || 1;
    return [low - room, high + room];
  };
  const steps = all.map(([step]) => step);
  const [x0, x1] = Math.min(...steps) < Math.max(...steps) ? range(steps) : [Math.max(0, steps[0] - 1), steps[0] + 1];
  const [y0, y1] = range(all.map(([, value]) => value));
  const x = (step) => left + ((step - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  for (const tick of resultTicks(y0, y1, 5)) {
    picture.append(
      svg("path", { d: `M${left} ${y(tick).toFixed(1)}H${width - right}`, class: "pw-results-grid" }),
      svg("text", { x: left - 6, y: (y(tick) + 3.5).toFixed(1), "text-anchor": "end", class: "pw-results-tick" }, resultTick(tick)),
    );
  }
  for (const tick of resultTicks(x0, x1, 5, true)) {
    const end = x(tick) > width - right - 12;
    picture.append(svg("text", { x: x(tick).toFixed(1), y: height - 6, "text-anchor": end ? "end" : "middle", class: "pw-results-tick" }, resultTick(tick)));
  }
  picture.append(svg("path", { d: `M${left} ${top}V${height - bottom}H${width - right}`, class: "pw-results-axis" }));
  series.forEach(({ points, style }, place) => {
    let d = "", open = false;
    for (const [step, value] of points) {
      if (value !== null) d += `${open ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
      open = value !== null;
    }
    picture.append(resultLine(style, d));
    // A few marks, at other places on each line, so that lines can be followed where they lie on each other.
    const drawn = resultDrawn(points), every = Math.max(1, Math.ceil(drawn.length / 5));
    drawn.forEach(([step, value], at) => {
      const last = at === drawn.length - 1;
      if (last || (drawn.length - 1 - at + place) % every === 0) picture.append(resultMark(style, x(step), y(value), last ? 1 : 0.8));
    });
  });
  return picture;
}

function resultLast(points) {
  const drawn = resultDrawn(points);
  if (!drawn.length) return "N/A";
  const [step, value] = drawn[drawn.length - 1];
  return `${score(value)} at step ${step}`;
}

/** A chart with its legend: the picture is an image, the legend is text. */
function resultChart(metric, series) {
  const title = RESULT_NAMES[metric] || metric;
  const sample = (style) => {
    const el = svg("svg", { viewBox: "0 0 30 12", width: 30, height: 12, "aria-hidden": "true", class: "pw-icon" });
    el.append(resultLine(style, "M1 6H29"), resultMark(style, 15, 6));
    return el;
  };
  return [
    h("h3", {}, title),
    resultPicture(title, series),
    h("ul", { class: `pw-results-legend${series.some(({ of }) => of.length > 14) ? " pw-results-long" : ""}` }, series.map(({ name, of, run, points, style }) =>
      h("li", { title: `${name}: ${resultLast(points)}` }, sample(style), h("span", { class: "pw-results-of" }, of), " ", h("span", {}, run), " ",
        h("span", { class: "pw-results-last" }, score(resultDrawn(points).at(-1)?.[1]))))),
  ];
}

class ResultsPanel {
  constructor({ model, el }) {
    this.model = model;
    this.frame = new Frame({ model, el, name: "results" });
    this.open = !model.get("chosen").length;
    this.wanted = null; // what is chosen here, while Python has not heard of it yet
    this.asked = 0;
    this.title = h("h2", { tabindex: "-1", class: "pw-results-title" });
    this.opener = button({ label: "Choose experiments", "aria-expanded": "false", onclick: () => this.toggle() });
    this.picker = this.makePicker();
    this.opener.setAttribute("aria-controls", this.picker.id);
    this.hint = h("div", { class: "pw-empty" });
    this.runs = h("tbody", {});
    this.table = h("div", { class: "pw-scroll pw-results-runs", role: "region", "aria-label": "Runs", tabindex: "0" },
      h("table", { class: "pw-table" },
        h("caption", { class: "pw-hidden" }, "Runs"),
        h("thead", {}, h("tr", {},
          h("th", { scope: "col" }, "Experiment"), h("th", { scope: "col" }, "Run"), h("th", { scope: "col" }, "Status"),
          ["Steps", "Checkpoints", "Best training score", "Best evaluation score", "Duration"].map((name) => h("th", { scope: "col", class: "pw-number" }, name)),
          h("th", { scope: "col" }, "Started"))),
        this.runs));
    this.note = h("p", { class: "pw-hint" });
    this.charts = h("div", { class: "pw-results-charts" });
    this.frame.body.append(h("div", { class: "pw-results-head" }, this.title, this.opener), this.picker, this.hint, this.table, this.note, this.charts);
    this.frame.on("change:title", () => this.showTitle());
    this.frame.on("change:experiments", () => this.showPicker());
    this.frame.on("change:chosen", () => { this.showPicker(); this.showRuns(); });
    this.frame.on("change:total", () => this.showRuns());
    this.frame.on("change:runs", () => { this.showRuns(); this.showCharts(); });
    this.frame.on("change:curves", () => this.showCharts());
    this.frame.on("change:undrawn", () => this.showRuns());
    const clock = setInterval(() => this.tick(), 1000);
    this.frame.undo.push(() => clearInterval(clock));
    this.showTitle();
    this.showPicker();
    this.showRuns();
    this.showCharts();
  }

  // ---- choosing

  makePicker() {
    this.search = h("input", { type: "search", "data-f": "search", oninput: () => this.showPicker() });
    this.list = h("ul", { class: "pw-results-choices", "data-scroll": "choices" });
    this.none = h("p", { class: "pw-soft" });
    const all = button({ label: "Choose all", "data-f": "all", onclick: () => this.choose([...this.chosen, ...this.matching().map((each) => each.id)]) });
    this.clear = button({ label: "Clear", "data-f": "clear", onclick: () => this.choose([]) });
    this.tools = h("div", { class: "pw-results-search" }, field("Search experiments", this.search), all, this.clear);
    return h("div", { class: "pw-results-picker", id: unique("picker"), role: "group", "aria-label": "Experiments to show" }, this.tools, this.list, this.none);
  }

  get chosen() {
    return this.wanted ?? this.model.get("chosen");
  }

  matching() {
    const sought = this.search.value.trim().toLowerCase();
    return this.model.get("experiments").filter((each) => `${each.name} ${each.algorithm}`.toLowerCase().includes(sought));
  }

  toggle() {
    this.open = !this.open;
    this.showPicker();
    if (this.open) this.search.focus({ preventScroll: true });
  }

  async choose(ids) {
    this.wanted = [...new Set(ids)];
    this.asked += 1;
    this.showPicker();
    await this.frame.run("choose", { experiments: this.wanted });
    this.asked -= 1;
    if (this.asked) return;
    this.wanted = null;
    this.showPicker();
    this.frame.announce(`${this.model.get("title")}: ${count(this.model.get("total"), "run")}`);
  }

  showPicker() {
    const found = this.model.get("experiments"), matching = this.matching(), chosen = new Set(this.chosen);
    this.picker.hidden = !this.open;
    this.opener.setAttribute("aria-expanded", String(this.open));
    redraw(this.opener, icon(this.open ? "down" : "right"), h("span", { class: "pw-label" }, "Choose experiments"),
      h("span", { class: "pw-soft" }, `${chosen.size} of ${found.length}`));
    this.tools.hidden = !found.length;
    this.none.hidden = matching.length > 0;
    this.none.textContent = found.length ? "No experiments match." : "No experiments yet";
    keyed(this.list, matching, (each) => each.id, (each) => this.makeChoice(each.id), (li, each) => {
      li.querySelector("input").checked = chosen.has(each.id);
      redraw(li.querySelector("label"), h("span", { class: "pw-results-name" }, each.name),
        h("span", { class: "pw-hint" }, `${each.algorithm}, ${each.runs ? count(each.runs, "run") : "no runs"}`));
    });
    this.hint.hidden = chosen.size > 0;
    this.hint.textContent = found.length ? "Choose experiments to compare their runs." : "Experiments show their results here once they ran.";
  }

  makeChoice(id) {
    const name = unique("choice");
    const box = h("input", {
      type: "checkbox", id: name, "data-f": `choice-${id}`,
      onchange: () => this.choose(box.checked ? [...this.chosen, id] : this.chosen.filter((each) => each !== id)),
    });
    return h("li", {}, box, h("label", { for: name }));
  }

  // ---- showing

  showTitle() {
    this.title.textContent = this.model.get("title");
  }

  showRuns() {
    const runs = this.model.get("runs"), some = this.model.get("chosen").length > 0;
    this.table.hidden = !runs.length;
    keyed(this.runs, runs, (run) => run.id, () => h("tr", {}), (tr, run) => redraw(tr, this.cells(run)));
    const more = this.model.get("total") - runs.length, undrawn = this.model.get("undrawn");
    const drawn = runs.filter((run) => run.drawn).length;
    const notes = [
      some && !runs.length ? "No runs yet." : "",
      more > 0 ? `The table shows the latest ${runs.length} of ${runs.length + more} runs.` : "",
      drawn < runs.length ? `The charts show ${drawn} of these runs: the latest of each experiment first.` : "",
      undrawn ? `${count(undrawn, "metric")} more: project.results() has them all.` : "",
    ];
    this.note.textContent = notes.filter(Boolean).join(" ");
    this.note.hidden = !this.note.textContent;
  }

  cells(run) {
    const number = (text) => h("td", { class: "pw-number" }, text);
    return [
      h("th", { scope: "row", class: "pw-results-name" }, run.experiment),
      h("td", {}, `run ${run.n}`),
      h("td", {}, badge(run.status)),
      number(run.steps === null ? "N/A" : String(run.steps)),
      number(String(run.checkpoints)),
      number(score(run.training)),
      number(score(run.evaluation)),
      h("td", { class: "pw-number", "data-since": run.started !== null && run.finished === null ? run.started : undefined }, this.took(run)),
      h("td", {}, run.started === null ? "N/A" : moment(run.started)),
    ];
  }

  took({ started, finished }) {
    return started === null ? "N/A" : duration((finished ?? Date.now() / 1000) - started);
  }

  tick() {
    for (const el of this.runs.querySelectorAll("[data-since]")) el.textContent = duration(Date.now() / 1000 - Number(el.dataset.since));
  }

  showCharts() {
    const runs = this.model.get("runs").filter((run) => run.drawn);
    const drawn = new Map(runs.map((run, at) => [run.id, {
      name: `${run.experiment} run ${run.n}`, of: run.experiment, run: `run ${run.n}`, style: resultStyle(at),
    }]));
    const metrics = new Map();
    for (const { run, metric, points } of this.model.get("curves")) {
      if (!drawn.has(run)) continue;
      if (!metrics.has(metric)) metrics.set(metric, []);
      metrics.get(metric).push({ ...drawn.get(run), points });
    }
    keyed(this.charts, [...metrics], ([metric]) => metric, () => h("section", { class: "pw-results-chart" }),
      (el, [metric, series]) => redraw(el, resultChart(metric, series)));
  }
}

export default {
  initialize({ model }) {
    patches(model);
  },
  render({ model, el }) {
    const panel = new ResultsPanel({ model, el });
    return () => panel.frame.close();
  },
};
