// The chain as a Cytoscape graph. An ipycytoscape view carries the Cytoscape core, which this file drives:
// shapes, arrows, panning, zooming, dragging. Over it lies a layer in the same coordinates with what has to
// be text and buttons, so that it can be read, focused and styled. Where that view cannot load, an SVG chain
// takes its place, and the layer stays as it is.

import { CytoscapeChain, SvgChain } from "./chain_renderers.js";
import { BUBBLE, place, STEP, ZOOM } from "./chain_shapes.js";
import { chainFrom, chainWidth, panToReveal, panWithin, wholeChain, zoomedAround } from "./chain_viewport.js";
import { button, draw, find, focused, focusOn, html, make } from "./elements.js";
import { bubbleFace, stageWords } from "./stage_bubble.js";
import { pressInGraph, wheelOverGraph } from "./stage_graph_keys.js";
import { repeat } from "./vendor/lit.js";

const CANVAS_PATIENCE = 2000; // ms after which the plain chain is drawn until there is Cytoscape

export class StageGraph {
  /**
   * @param {{ frame: Frame, model: Model, on: { select: (id: number) => void, open: (id: number) => void,
   *   insert: (position: number) => void, move: (id: number, to: number) => void,
   *   remove: (id: number) => void } }} options
   */
  constructor({ frame, model, on }) {
    this.frame = frame;
    this.on = on;
    /** @type {Stage[]} */
    this.stages = [];
    this.selected = 0;
    /** @type {ChainRenderer | null} */
    this.renderer = null;
    this.ended = this.opened = this.roamed = false;
    this.drawing = 0;
    this.shown = -1; // how many stages were shown before
    this.width = 0; // when it was last laid out
    this.near = "";
    this.box = make(
      html`<div class="pw-graphbox" role="group" aria-label="Stage graph">
        <div class="pw-canvas" aria-hidden="true"></div>
        <div class="pw-layer">
          <ol class="pw-bubbles" aria-label="Stages" @keydown=${(event) => pressInGraph(this, event)}></ol>
          <div class="pw-pluses"></div>
        </div>
      </div>`,
    );
    this.canvas = find(this.box, ".pw-canvas");
    this.layer = find(this.box, ".pw-layer");
    this.list = find(this.box, ".pw-bubbles");
    this.pluses = find(this.box, ".pw-pluses");
    // The layer is moved by its transform alone; a browser that scrolls to a focused bubble would move it
    // twice.
    this.box.addEventListener("scroll", () => this.box.scrollTo(0, 0));
    this.box.addEventListener("wheel", (event) => wheelOverGraph(this, event), { passive: false });
    this.size = new ResizeObserver(() => this.resized());
    this.theme = new MutationObserver(() => this.renderer?.paint());
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
    const before = this.renderer?.viewport;
    this.renderer?.end();
    this.renderer = renderer;
    this.box.dataset.renderer = renderer.name;
    this.box.classList.toggle("pw-is-plain", renderer.name === "svg"); // the bubbles take the mouse then
    renderer.paint();
    renderer.show(this.stages);
    renderer.select(this.selected);
    if (this.opened && before) {
      renderer.resize();
      this.look(before.zoom, before.pan);
    }
    this.size.observe(this.box); // which tells the size at once, too
    this.theme.observe(document.body, {
      attributes: true,
      attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"],
    });
  }

  // ---- what is shown

  /** @param {Stage[]} stages */
  show(stages) {
    const before = this.list.contains(focused()) ? focused()?.parentElement?.dataset.key : null;
    this.stages = stages;
    this.settle();
    this.drawStages();
    if (before) this.focus(Number(before));
    this.renderer?.show(stages);
    this.renderer?.select(this.selected);
  }

  /**
   * A chain that has grown or shrunk is shown whole again, unless somebody has looked elsewhere meanwhile.
   */
  settle() {
    const grown = this.shown >= 0 && this.shown !== this.stages.length;
    this.shown = this.stages.length;
    if (grown && this.opened && !this.roamed && this.readable) this.fit();
  }

  /** The width in pixels. JupyterLab takes an output out of the page for a moment: it has none then. */
  get laidOutWidth() {
    this.width = this.box.clientWidth || this.width;
    return this.width;
  }

  get readable() {
    return this.laidOutWidth / chainWidth(this.stages.length) >= ZOOM.readable;
  }

  /** Where the bubbles and "+" are that can be seen, or nearly so: a chain may have a thousand. */
  get range() {
    const { zoom, pan } = this.viewport;
    const from = Math.max(0, Math.floor(-pan.x / zoom / STEP) - 2);
    const to = Math.min(this.stages.length, Math.ceil((this.laidOutWidth - pan.x) / zoom / STEP) + 2);
    return { from, to };
  }

  drawStages() {
    const { from, to } = this.range,
      { stages } = this,
      last = stages.length;
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
    const wanted = last ? Array.from({ length: Math.max(0, to - from) + 1 }, (_, at) => from + at) : [];
    draw(
      this.pluses,
      repeat(
        wanted,
        (at) => at,
        (at) => this.plus(at, last),
      ),
    );
  }

  /**
   * @param {Stage} stage
   * @param {number} at
   * @param {boolean} entry
   * @param {boolean} near
   */
  bubble(stage, at, entry, near) {
    const { id } = stage,
      { x, y } = place(at);
    return html`<li data-key=${id}
      style=${`left: ${x - BUBBLE.width / 2}px; top: ${y - BUBBLE.height / 2}px`}>
      <button type="button" class="pw-bubble" tabindex=${entry ? "0" : "-1"} aria-label=${stageWords(stage)}
        aria-pressed=${String(id === this.selected)} data-status=${stage.status}
        @click=${() => this.on.select(id)}
        @dblclick=${() => this.on.open(id)} @focus=${() => this.reveal(id)}
      >${near ? bubbleFace(stage) : null}</button>
    </li>`;
  }

  /**
   * @param {number} at
   * @param {number} last
   */
  plus(at, last) {
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
      style: `left: ${at * STEP - STEP / 2 - 12}px; top: -12px`,
      onclick: () => this.on.insert(at),
    });
  }

  /** @param {number} id */
  select(id) {
    this.selected = id;
    this.drawStages();
    this.renderer?.select(id);
  }

  /** @param {number} id */
  liOf(id) {
    return this.list.querySelector(`[data-key="${id}"]`);
  }

  /** @param {number} id */
  focus(id) {
    focusOn(this.liOf(id)?.firstElementChild);
  }

  /** @param {number} id */
  hover(id) {
    const stage = this.stages.find((each) => each.id === id);
    this.box.title = stage
      ? [stageWords(stage), ...(stage.stale || []), stage.held].filter(Boolean).join("\n")
      : "";
  }

  // ---- the viewport: what is at x is drawn at x * zoom + pan

  get viewport() {
    return this.renderer?.viewport ?? { zoom: 1, pan: { x: 0, y: 0 } };
  }

  moved() {
    const { zoom, pan } = this.viewport;
    this.layer.style.transform = `translate(${pan.x}px, ${pan.y}px) scale(${zoom})`;
    this.layer.classList.toggle("pw-far", zoom < 0.5);
    if (!this.drawing)
      this.drawing = requestAnimationFrame(() => {
        this.drawing = 0;
        const { from, to } = this.range;
        if (this.near !== `${from} ${to}`) this.drawStages();
      });
  }

  /**
   * @param {number} zoom
   * @param {Pan} pan
   */
  look(zoom, pan) {
    this.renderer?.look(zoom, pan);
    this.moved();
  }

  /** @param {View} view */
  see({ zoom, pan }) {
    this.look(zoom, pan);
  }

  get extent() {
    return { width: this.laidOutWidth, height: this.box.clientHeight, stages: this.stages.length };
  }

  /**
   * @param {number} factor
   * @param {Pan} [around]
   */
  zoom(factor, around = { x: this.laidOutWidth / 2, y: this.box.clientHeight / 2 }) {
    this.roamed = true;
    this.see(zoomedAround(this.viewport, factor, around));
  }

  /** @param {number} by */
  pan(by) {
    this.roamed = true;
    const { zoom, pan } = this.viewport;
    this.see({ zoom, pan: panWithin(this.extent, zoom, { x: pan.x + by, y: pan.y }) });
  }

  /** Show the whole chain, however small. */
  fit() {
    this.roamed = false;
    this.see(wholeChain(this.extent));
  }

  /** First show the whole chain where it is readable then, else from the first stage that is not done. */
  open() {
    if (this.readable) return this.fit();
    const first = this.stages.findIndex((stage) => stage.status !== "Succeeded" || stage.stale);
    this.see(chainFrom(this.extent, Math.max(0, first - 1)));
  }

  /**
   * Bring a stage into sight, if it is not.
   * @param {number} id
   */
  reveal(id) {
    const at = this.stages.findIndex((stage) => stage.id === id);
    if (at < 0 || !this.renderer || !this.opened) return;
    const wanted = panToReveal(this.extent, this.viewport, at);
    if (wanted) this.look(this.viewport.zoom, wanted);
  }

  resized() {
    if (!this.box.clientWidth || !this.renderer) return;
    this.renderer.resize();
    if (!this.opened && this.stages.length) {
      this.opened = true;
      this.open();
      this.box.dataset.ready = "true";
    } else if (!this.roamed && this.readable) this.fit();
    else {
      const { zoom, pan } = this.viewport;
      this.look(zoom, { x: pan.x, y: this.box.clientHeight / 2 });
    }
  }

  /**
   * A bubble is being dragged with its shape.
   * @param {number} id
   * @param {Pan} position
   */
  dragged(id, { x, y }) {
    const el = this.liOf(id);
    if (!el) return;
    el.classList.add("pw-dragged");
    this.layer.classList.add("pw-dragging");
    el.style.left = `${x - BUBBLE.width / 2}px`;
    el.style.top = `${y - BUBBLE.height / 2}px`;
  }

  /**
   * A bubble was dropped: it goes where it was dropped, or back.
   * @param {number} id
   * @param {number} x
   */
  dropped(id, x) {
    const from = this.stages.findIndex((stage) => stage.id === id);
    const to = Math.max(0, Math.min(this.stages.length - 1, Math.round(x / STEP)));
    const el = this.liOf(id);
    el?.classList.remove("pw-dragged");
    this.layer.classList.remove("pw-dragging");
    if (el)
      [el.style.left, el.style.top] = [`${from * STEP - BUBBLE.width / 2}px`, `${-BUBBLE.height / 2}px`];
    this.renderer?.place(id, place(from));
    if (to !== from) this.on.move(id, to);
  }

  end() {
    this.ended = true;
    cancelAnimationFrame(this.drawing);
    this.size.disconnect();
    this.theme.disconnect();
    this.renderer?.end();
  }
}
