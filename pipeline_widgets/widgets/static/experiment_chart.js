// The chart of a run's metric. It is read by the mouse, or with the arrow keys, point by point.

const CHART_HEIGHT = 220;
const CHART_EDGE = { left: 56, right: 14, top: 12, bottom: 26 };
const CHART_NAMES = { scores: "Training and evaluation score", training_score: "Training score", evaluation_score: "Evaluation score" };

const chartName = (name) => (Object.hasOwn(CHART_NAMES, name) ? CHART_NAMES[name] : name);
const chartNumber = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1).replace("e+", "e") : String(Number(value.toPrecision(4))));

/** Round numbers that lie within a range, about `wanted` of them. */
function chartTicks(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  const ticks = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9 && ticks.length < 20; at += 1) ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

class ExperimentChart {
  constructor(frame) {
    this.legend = h("div", { class: "pw-xc-legend", "aria-hidden": "true" });
    this.place = h("div", {
      class: "pw-xc-place", tabindex: "0", role: "slider", "aria-label": "Chart", "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
      onkeydown: (event) => this.key(event),
      onpointermove: (event) => this.point(event),
      onpointerleave: () => this.mark(document.activeElement === this.place ? this.at : null),
      onfocus: () => this.mark(this.at ?? this.steps.length - 1),
      onblur: () => this.mark(null),
    });
    this.told = h("div", { class: "pw-xc-told", "aria-hidden": "true" });
    this.el = h("div", { class: "pw-xc" }, h("div", { class: "pw-xc-head" }, this.legend, this.told), this.place);
    this.steps = [];
    const size = new ResizeObserver(() => this.draw());
    size.observe(this.place);
    this.end = () => size.disconnect();
    frame.undo.push(this.end);
  }

  /** `curves`: [{name, points}]; `best`: the step of the best checkpoint, or null. */
  show({ curves, best, title }) {
    const told = JSON.stringify([curves, best, title]);
    if (told === this.drawn) return;
    this.drawn = told;
    Object.assign(this, { curves, best, title });
    const read = this.at === null || this.at === undefined ? null : this.steps[this.at];
    this.steps = [...new Set(curves.flatMap(({ points }) => points.map(([step]) => step)))].sort((a, b) => a - b);
    this.values = curves.map(({ points }) => new Map(points));
    this.at = read === null ? null : Math.max(0, this.steps.findLastIndex((step) => step <= read));
    redraw(this.legend, curves.length > 1 ? curves.map(({ name }, n) => h("span", { class: `pw-xc-key pw-xc-${n}` }, svg("svg", { width: 22, height: 8, "aria-hidden": "true" }, svg("path", { d: "M0 4H22", class: `pw-xc-line pw-xc-${n}` })), chartName(name))) : []);
    this.place.setAttribute("aria-label", this.summary());
    this.place.setAttribute("aria-valuemin", this.steps[0] ?? 0);
    this.place.setAttribute("aria-valuemax", this.steps[this.steps.length - 1] ?? 0);
    this.draw();
  }

  summary() {
    const said = this.curves.map(({ name, points }) => {
      const values = points.map(([, value]) => value).filter((value) => value !== null), last = points[points.length - 1];
      if (!values.length) return `${chartName(name)}: no finite value`;
      return `${chartName(name)}: ${last[1] === null ? "not finite" : score(last[1])} at step ${last[0]}, lowest ${score(Math.min(...values))}, highest ${score(Math.max(...values))}`;
    });
    return `${this.title} by step. ${said.join("; ")}`;
  }

  draw() {
    const width = this.place.clientWidth;
    if (!width || !this.curves) return;
    const finite = this.curves.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value !== null);
    let [low, high] = finite.length ? [Math.min(...finite), Math.max(...finite)] : [0, 1];
    if (low === high) [low, high] = [low - (Math.abs(low) || 1) * 0.5, high + (Math.abs(high) || 1) * 0.5];
    const room = (high - low) * 0.05, first = this.steps[0] ?? 0, last = this.steps[this.steps.length - 1] ?? 1;
    [low, high] = [low - room, high + room];
    const { left, right, top, bottom } = CHART_EDGE;
    this.x = (step) => left + (last === first ? 0.5 : (step - first) / (last - first)) * (width - left - right);
    this.y = (value) => top + (1 - (value - low) / (high - low)) * (CHART_HEIGHT - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${CHART_HEIGHT}`, width, height: CHART_HEIGHT, "aria-hidden": "true", class: "pw-xc-picture" });
    for (const tick of chartTicks(low, high, 4)) {
      picture.append(svg("path", { d: `M${left} ${this.y(tick)}H${width - right}`, class: "pw-xc-grid" }),
        svg("text", { x: left - 8, y: this.y(tick) + 4, "text-anchor": "end", class: "pw-xc-tick" }, chartNumber(tick)));
    }
    const across = first === last ? [first] : chartTicks(first, last, Math.max(2, Math.min(7, width / 90)));
    for (const tick of across.filter(Number.isInteger))
      picture.append(svg("text", { x: this.x(tick), y: CHART_HEIGHT - 8, "text-anchor": "middle", class: "pw-xc-tick" }, tick >= 1e5 ? chartNumber(tick) : String(tick)));
    if (this.best !== null && this.best >= first && this.best <= last) {
      const x = this.x(this.best), end = x > width - 60;
      picture.append(svg("path", { d: `M${x} ${top}V${CHART_HEIGHT - bottom}`, class: "pw-xc-best" }),
        svg("text", { x: x + (end ? -4 : 4), y: top + 10, "text-anchor": end ? "end" : "start", class: "pw-xc-tick" }, "best"));
    }
    this.curves.forEach(({ points }, n) => picture.append(...this.line(points, n)));
    this.cross = svg("g", { class: "pw-xc-cross" });
    picture.append(this.cross);
    this.place.replaceChildren(picture);
    this.mark(document.activeElement === this.place ? this.at ?? this.steps.length - 1 : null);
  }

  line(points, n) {
    let path = "", open = false;
    const drawn = points.filter(([, value]) => value !== null);
    for (const [step, value] of points) {
      if (value !== null) path += `${open ? "L" : "M"}${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`;
      open = value !== null;
    }
    const dots = drawn.length <= 12 ? drawn.map(([step, value]) => svg("circle", { cx: this.x(step), cy: this.y(value), r: 2.5, class: `pw-xc-dot pw-xc-${n}` })) : [];
    return [svg("path", { d: path, class: `pw-xc-line pw-xc-${n}` }), ...dots];
  }

  /** Read the values at a step; null puts the latest ones there again. */
  mark(at) {
    if (!this.cross) return;
    const step = this.steps[at ?? this.steps.length - 1];
    if (at !== null) this.at = at;
    const parts = (this.curves ?? []).map(({ name }, n) => {
      const value = this.values[n].get(step);
      return value === undefined ? null : `${this.curves.length > 1 ? `${chartName(name)} ` : ""}${value === null ? "not finite" : score(value)}`;
    }).filter(Boolean);
    const text = step === undefined ? "" : `Step ${step}: ${parts.join(", ")}`;
    setText(this.told, text);
    this.place.setAttribute("aria-valuenow", step ?? 0);
    this.place.setAttribute("aria-valuetext", text);
    this.cross.replaceChildren();
    if (at === null || step === undefined) return;
    this.cross.append(svg("path", { d: `M${this.x(step)} ${CHART_EDGE.top}V${CHART_HEIGHT - CHART_EDGE.bottom}`, class: "pw-xc-rule" }));
    this.curves.forEach((_, n) => {
      const value = this.values[n].get(step);
      if (value !== undefined && value !== null) this.cross.append(svg("circle", { cx: this.x(step), cy: this.y(value), r: 4, class: `pw-xc-point pw-xc-${n}` }));
    });
  }

  point(event) {
    if (!this.x || !this.steps.length) return;
    const x = event.clientX - this.place.getBoundingClientRect().left;
    let nearest = 0;
    this.steps.forEach((step, at) => Math.abs(this.x(step) - x) < Math.abs(this.x(this.steps[nearest]) - x) && (nearest = at));
    this.mark(nearest);
  }

  key(event) {
    const last = this.steps.length - 1, now = this.at ?? last;
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageUp: now + 10, PageDown: now - 10, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.mark(Math.max(0, Math.min(last, to)));
  }
}
