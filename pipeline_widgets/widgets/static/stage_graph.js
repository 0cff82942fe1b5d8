// The chain as a Cytoscape graph, in rows that are as wide as the cell. An ipycytoscape view carries the
// Cytoscape core, which this file drives: shapes, arrows, dragging. Over it lies a layer in the same
// coordinates with what has to be text and buttons, so that it can be read, focused and styled. Where that
// view cannot load, an SVG chain takes its place, and the layer stays as it is.

import { place, plusPlace, ZOOM } from "./chain_layout.js";
import { CytoscapeChain, SvgChain } from "./chain_renderers.js";
import { ChainViewport } from "./chain_viewport.js";
import { button, draw, find, focused, focusOn, html, make } from "./elements.js";
import { bubbleFace, describeStage, farFace, stageWords } from "./stage_bubble.js";
import { StageDrag } from "./stage_drag.js";
import { pressInGraph, wheelOverGraph } from "./stage_graph_keys.js";
import { StagePosition } from "./stage_position.js";
import { StageTip } from "./stage_tip.js";
import { followTheme } from "./theme.js";
import { nothing, repeat } from "./vendor/lit.js";

const CANVAS_PATIENCE = 2000; // ms after which the plain chain is drawn until there is Cytoscape

export class StageGraph {
  /**
   * @param {{ frame: Frame, model: Model, on: { select: (id: number) => void, open: (id: number) => void,
   *   results: (id: number) => void, insert: (position: number) => void,
   *   move: (id: number, to: number) => void, remove: (id: number) => void } }} options
   */
  constructor({ frame, model, on }) {
    this.frame = frame;
    this.model = model;
    this.on = on;
    /** @type {Stage[]} */
    this.stages = [];
    this.selected = 0;
    /** @type {ChainRenderer | null} */
    this.renderer = null;
    this.ended = this.opened = this.fitted = false;
    this.drawing = 0;
    this.near = this.fittedTo = "";
    this.viewport = new ChainViewport();
    this.drag = new StageDrag(this);
    this.tip = new StageTip(this);
    this.position = new StagePosition({ choose: (id) => this.goTo(id), select: (id) => on.select(id) });
    this.box = make(
      html`<div class="pw-graphbox" role="group" aria-label="Stage graph">
        <div class="pw-canvas" aria-hidden="true"></div>
        <div class="pw-layer">
          <ol class="pw-bubbles" aria-label="Stages" @keydown=${(event) => pressInGraph(this, event)}></ol>
          <div class="pw-pluses"></div>
          <div class="pw-dropmark" hidden></div>
        </div>
        <div class="pw-graph-scroll" tabindex="-1" aria-hidden="true" hidden><div></div></div>
      </div>`,
    );
    this.canvas = find(this.box, ".pw-canvas");
    this.layer = find(this.box, ".pw-layer");
    this.list = find(this.box, ".pw-bubbles");
    this.pluses = find(this.box, ".pw-pluses");
    this.bar = find(this.box, ".pw-graph-scroll");
    // The layer is moved by its transform alone; a browser that scrolls to a focused bubble would move it
    // twice.
    this.box.addEventListener("scroll", () => this.box.scrollTo(0, 0));
    this.box.addEventListener("wheel", (event) => wheelOverGraph(this, event), { passive: false });
    this.list.addEventListener("focusout", () => this.tip.hide());
    this.list.addEventListener("mouseover", ({ target }) =>
      this.hover(Number(/** @type {El} */ (target).closest("li")?.dataset.key ?? 0)),
    );
    // Cytoscape tells of no mouse that has left it.
    this.box.addEventListener("mouseleave", () => this.hover(0));
    this.bar.addEventListener("scroll", () => this.scrollTo(this.bar.scrollTop));
    this.size = new ResizeObserver(() => this.resized());
    this.unfollow = followTheme(() => this.paint());
    const plain = setTimeout(() => this.use(new SvgChain(this)), CANVAS_PATIENCE);
    CytoscapeChain.load(model, this)
      .then(
        (loaded) => this.use(loaded),
        () => this.renderer || this.use(new SvgChain(this)),
      )
      .finally(() => clearTimeout(plain));
  }

  /**
   * Draw with this renderer from now on, where the one before it stood.
   * @param {ChainRenderer} renderer
   */
  use(renderer) {
    if (this.ended) return renderer.end();
    this.renderer?.end();
    this.renderer = renderer;
    this.fittedTo = "";
    this.box.dataset.renderer = renderer.name;
    this.box.classList.toggle("pw-is-plain", renderer.name === "svg"); // the bubbles take the mouse then
    if (this.opened) this.showChain();
    this.size.observe(this.box); // which tells the size at once, too
  }

  // ---- what is shown

  /** @param {Stage[]} stages */
  show(stages) {
    const before = this.list.contains(focused()) ? focused()?.parentElement?.dataset.key : null;
    this.stages = stages;
    this.viewport.change({ stages: stages.length }, this.place);
    this.showChain();
    if (before) this.focus(Number(before));
  }

  /** Show all as it is now: shapes, cards and where one is. */
  showChain() {
    const { viewport } = this;
    this.drawStages();
    this.renderer?.show(this.stages, viewport.layout);
    const size = `${viewport.width} ${viewport.height}`;
    this.box.style.height = `${viewport.height + 2}px`; // and its border
    if (size !== this.fittedTo) this.renderer?.resize();
    this.fittedTo = size;
    this.look();
  }

  /** The theme has changed. */
  paint() {
    this.renderer?.paint();
    this.drawStages();
  }

  drawStages() {
    if (!this.viewport.width) return; // nobody sees it yet, and there may be a thousand
    const { from, to } = this.viewport.range,
      { stages } = this,
      { layout, zoom } = this.viewport;
    this.near = `${from} ${to}`;
    // one stop for Tab; the arrows go on from there
    const entry = stages.find(({ id }) => id === this.selected) ?? stages[0];
    draw(
      this.list,
      repeat(
        stages,
        ({ id }) => id,
        (stage, at) => this.bubble(stage, at, stage === entry, at >= from && at < to),
      ),
    );
    const wanted = stages.length
      ? Array.from({ length: Math.max(0, to - from) + 1 }, (_, at) => from + at)
      : [];
    draw(
      this.pluses,
      repeat(
        wanted,
        (at) => at,
        (at) => this.plus(at, stages.length),
      ),
    );
    this.layer.classList.toggle("pw-far", zoom < ZOOM.far);
    this.layer.style.setProperty("--pw-text-scale", String(Math.max(1, 1 / zoom)));
    this.position.show(stages, this.selected, layout.rows > 1);
  }

  /**
   * @param {Stage} stage
   * @param {number} at
   * @param {boolean} entry
   * @param {boolean} near
   */
  bubble(stage, at, entry, near) {
    const { id } = stage,
      { layout, zoom } = this.viewport,
      { width, height } = layout.card,
      { x, y } = place(layout, at);
    const { evaluator } = this;
    const face = zoom < ZOOM.far ? farFace : bubbleFace;
    return html`<li data-key=${id}
      style=${`left: ${x - width / 2}px; top: ${y - height / 2}px; width: ${width}px; height: ${height}px`}>
      <button type="button" class="pw-bubble" tabindex=${entry ? "0" : "-1"} aria-label=${stageWords(stage)}
        aria-description=${describeStage(stage, evaluator) || nothing}
        aria-pressed=${String(id === this.selected)} data-status=${stage.status}
        @click=${() => this.on.select(id)} @dblclick=${() => this.on.open(id)}
        @focus=${(event) => this.focusedOn(id, event)}
      >${near ? face(stage, evaluator) : null}</button>
    </li>`;
  }

  /**
   * @param {number} at
   * @param {number} last
   */
  plus(at, last) {
    const { x, y } = plusPlace(this.viewport.layout, at);
    const label =
      at === 0
        ? "Insert a stage at the beginning"
        : at === last
          ? "Add a stage at the end"
          : `Insert a stage between ${at} and ${at + 1}`;
    return button({
      label,
      glyph: "plus",
      quiet: true,
      kind: "pw-plus",
      tabindex: "-1",
      changes: true,
      style: `left: ${x - 12}px; top: ${y - 12}px`,
      onclick: () => this.on.insert(at),
    });
  }

  /** @param {number} id */
  select(id) {
    this.selected = id;
    this.drawStages();
  }

  /**
   * Select a stage, and go there.
   * @param {number} id
   */
  goTo(id) {
    this.on.select(id);
    this.focus(id);
  }

  /** By whose scores Best goes; null where by those that the algorithms report. */
  get evaluator() {
    return this.model.get("pipeline").score_by;
  }

  /** At which place the selected stage is; -1 for none. */
  get place() {
    return this.stages.findIndex(({ id }) => id === this.selected);
  }

  /** @param {number} id */
  liOf(id) {
    return this.list.querySelector(`[data-key="${id}"]`);
  }

  /** @param {number} id */
  focus(id) {
    focusOn(this.liOf(id)?.firstElementChild);
  }

  /**
   * @param {number} id
   * @param {At} event
   */
  focusedOn(id, { target }) {
    this.reveal(id);
    if (target.matches(":focus-visible")) this.tip.atFocus(id);
  }

  /** @param {number} id 0 for none */
  hover(id) {
    if (id && !this.drag.id) this.tip.soon(id);
    else this.tip.hide();
  }

  // ---- the viewport

  /** Show the chain where the viewport says. */
  look() {
    const { viewport } = this,
      { zoom, pan } = viewport;
    this.renderer?.look(zoom, pan);
    this.layer.style.transform = `translate(${pan.x}px, ${pan.y}px) scale(${zoom})`;
    this.bar.hidden = !viewport.scrolls;
    find(this.bar, "div").style.height = `${viewport.whole}px`;
    if (Math.abs(this.bar.scrollTop - viewport.top) >= 1) this.bar.scrollTop = viewport.top;
    this.position.seen(viewport.top / viewport.whole, (viewport.top + viewport.height) / viewport.whole);
    if (!this.drawing)
      this.drawing = requestAnimationFrame(() => {
        this.drawing = 0;
        const { from, to } = this.viewport.range;
        if (this.near !== `${from} ${to}`) this.drawStages();
      });
  }

  /** @param {number} top px */
  scrollTo(top) {
    this.tip.hide();
    this.viewport.scroll(top);
    this.look();
  }

  /** @param {number} by px */
  scrollBy(by) {
    this.scrollTo(this.viewport.top + by);
  }

  /** @param {number} zoom */
  zoomTo(zoom) {
    this.viewport.change({ zoom: this.viewport.bounded(zoom) }, this.place);
    this.showChain();
  }

  /** @param {number} factor */
  zoom(factor) {
    this.fitted = false;
    this.zoomTo(this.viewport.zoom * factor);
  }

  /** Show the whole chain; of a very long one as much as can be read. */
  fit() {
    this.fitted = true;
    this.zoomTo(this.viewport.fitting);
  }

  /**
   * Bring a stage into sight, if it is not.
   * @param {number} id
   */
  reveal(id) {
    const at = this.stages.findIndex((stage) => stage.id === id);
    if (at < 0 || !this.opened) return;
    const { top } = this.viewport;
    this.viewport.reveal(at);
    if (this.viewport.top !== top) this.look();
  }

  resized() {
    const width = this.box.clientWidth;
    if (!width || !this.renderer) return;
    const first = !this.opened && this.stages.length > 0;
    if (!first && width === this.viewport.width) return;
    this.viewport.change({ width }, this.place);
    if (this.fitted) this.viewport.change({ zoom: this.viewport.fitting }, this.place);
    if (first) {
      this.opened = true;
      this.viewport.reveal(Math.max(0, this.place));
    }
    this.showChain();
    if (first) this.box.dataset.ready = "true";
  }

  end() {
    this.ended = true;
    cancelAnimationFrame(this.drawing);
    this.size.disconnect();
    this.unfollow();
    this.tip.hide();
    this.position.end();
    this.renderer?.end();
  }
}
