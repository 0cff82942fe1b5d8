// A small map of a chain: a mark for each stage, by its icon and its colour. Of a very long chain a mark
// stands for several stages, and shows the one that asks most for attention. It is drawn on a canvas, since
// there may be a thousand, and is a slider for the keyboard and for a screen reader.

import { STATUS_TOKEN, token } from "./chain_shapes.js";
import { arrowTo, find, html, make } from "./elements.js";
import { ICONS } from "./icons.js";
import { stageMark } from "./stage_bubble.js";
import { followTheme } from "./theme.js";

const CELL = 16; // px that a mark takes, across and down
const MARK = 11; // px of its icon
const LINES = 2; // at most
/** What asks for attention, most of all first. */
const URGENT = [
  "Failed",
  "Crashed",
  "Running",
  "Stopping",
  "Pending",
  "Held",
  "Stale",
  "Stopped",
  "Draft",
  "Succeeded",
]; // prettier-ignore

export class StageMap {
  /** @param {{ select: (id: number) => void }} options */
  constructor({ select }) {
    this.select = select;
    /** @type {Stage[]} */
    this.stages = [];
    this.at = -1;
    this.from = this.to = 0;
    this.drawing = 0;
    /** @type {Map<string, Path2D>} */
    this.paths = new Map();
    this.el = make(
      html`<div class="pw-map" role="slider" tabindex="0" aria-label="Stage" aria-valuemin="1"
        @keydown=${(event) => this.key(event)}><canvas></canvas></div>`,
    );
    this.el.addEventListener("click", (event) => this.press(event));
    this.el.addEventListener("mousemove", (event) => this.over(event));
    this.canvas = /** @type {HTMLCanvasElement} */ (find(this.el, "canvas"));
    this.size = new ResizeObserver(() => this.draw());
    this.size.observe(this.el);
    this.unfollow = followTheme(() => this.paint());
  }

  /**
   * @param {Stage[]} stages
   * @param {number} at Which is selected; -1 for none.
   * @param {string} words
   */
  show(stages, at, words) {
    this.stages = stages;
    this.at = at;
    this.el.setAttribute("aria-valuemax", String(stages.length));
    this.el.setAttribute("aria-valuenow", String(at + 1));
    this.el.setAttribute("aria-valuetext", words);
    this.draw();
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  seen(from, to) {
    if (from === this.from && to === this.to) return;
    this.from = from;
    this.to = to;
    this.draw();
  }

  /** How the marks lie: how many in a line, and of how many stages each tells. */
  get grid() {
    const across = Math.max(1, Math.floor(this.el.clientWidth / CELL));
    const each = Math.ceil(this.stages.length / (across * LINES)) || 1;
    return { across, each, marks: Math.ceil(this.stages.length / each) };
  }

  draw() {
    if (!this.drawing)
      this.drawing = requestAnimationFrame(() => {
        this.drawing = 0;
        this.paint();
      });
  }

  paint() {
    const { across, each, marks } = this.grid,
      width = across * CELL,
      height = Math.ceil(marks / across) * CELL,
      ratio = devicePixelRatio || 1,
      pen = this.canvas.getContext("2d");
    if (!pen || !this.el.clientWidth) return;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    const colour = (/** @type {string} */ name) => token(this.el, name, "#767676"),
      colours = new Map(URGENT.map((mark) => [mark, colour(MARK_TOKEN[mark])])),
      seen = colour("--pw-bg-soft"),
      brand = colour("--pw-brand");
    for (let index = 0; index < marks; index++) {
      const x = (index % across) * CELL,
        y = Math.floor(index / across) * CELL;
      pen.setTransform(ratio, 0, 0, ratio, x * ratio, y * ratio);
      const share = (index * each) / this.stages.length;
      if (share >= this.from - 1e-9 && share < this.to) {
        pen.fillStyle = seen;
        pen.fillRect(0, 0, CELL, CELL);
      }
      const mark = this.mark(index * each, each);
      pen.fillStyle = colours.get(mark) ?? "#767676";
      pen.translate((CELL - MARK) / 2, (CELL - MARK) / 2);
      pen.scale(MARK / 16, MARK / 16);
      pen.fill(this.path(mark));
      if (this.at < index * each || this.at >= (index + 1) * each) continue;
      pen.setTransform(ratio, 0, 0, ratio, x * ratio, y * ratio);
      pen.strokeStyle = brand;
      pen.lineWidth = 2;
      pen.strokeRect(1, 1, CELL - 2, CELL - 2);
    }
  }

  /**
   * @param {number} from
   * @param {number} count
   */
  mark(from, count) {
    const marks = this.stages.slice(from, from + count).map(stageMark);
    return URGENT.find((mark) => marks.includes(mark)) ?? "Draft";
  }

  /** @param {string} mark */
  path(mark) {
    const path = this.paths.get(mark) ?? new Path2D(ICONS[mark] ?? "");
    this.paths.set(mark, path);
    return path;
  }

  /**
   * The stage under the mouse; undefined beside the marks.
   * @param {{ clientX: number, clientY: number }} event
   */
  under({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect(),
      { across, each } = this.grid;
    const column = Math.floor((clientX - box.left) / CELL),
      line = Math.floor((clientY - box.top) / CELL);
    return column < across ? this.stages[(line * across + column) * each] : undefined;
  }

  /** @param {{ clientX: number, clientY: number }} event */
  press(event) {
    const stage = this.under(event);
    if (stage) this.select(stage.id);
  }

  /** @param {{ clientX: number, clientY: number }} event */
  over(event) {
    const stage = this.under(event),
      { each } = this.grid;
    const last = stage ? Math.min(this.stages.length, stage.n + each - 1) : 0;
    this.el.title = !stage
      ? ""
      : each > 1
        ? `Stages ${stage.n} to ${last}: ${this.mark(stage.n - 1, each)}`
        : `${stage.n} ${stage.name}: ${stageMark(stage)}`;
  }

  /** @param {At} event */
  key(event) {
    const { stages, at } = this;
    const by = /** @type {Record<string, number>} */ ({
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -10,
      PageDown: 10,
    })[event.key];
    const to = by ? at + by : arrowTo(event.key, at, stages.length, { around: false });
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.select(stages[Math.max(0, Math.min(stages.length - 1, to))].id);
  }

  end() {
    cancelAnimationFrame(this.drawing);
    this.size.disconnect();
    this.unfollow();
  }
}

/** @type {Record<string, string>} */
const MARK_TOKEN = { ...STATUS_TOKEN, Held: "--pw-warn", Stale: "--pw-warn", Draft: "--pw-quiet" };
