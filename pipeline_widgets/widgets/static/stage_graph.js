// The chain as a Cytoscape graph. An ipycytoscape view carries the Cytoscape core, which this file drives:
// shapes, arrows, panning, zooming, dragging. Over it lies a layer in the same coordinates with what has to
// be text and buttons, so that it can be read, focused and styled. Where that view cannot load, an SVG chain
// takes its place, and the layer stays as it is.

import { CytoscapeChain, SvgChain } from "./chain_renderers.js";
import { BUBBLE, place, STEP, ZOOM } from "./chain_shapes.js";
import { chainFrom, chainWidth, panToReveal, panWithin, wholeChain, zoomedAround } from "./chain_viewport.js";
import { button, h, keyed } from "./elements.js";
import { drawBubble, stageWords } from "./stage_bubble.js";

const CANVAS_PATIENCE = 2000; // ms after which the plain chain is drawn until there is Cytoscape

export class StageGraph {
  /**
   * `on` has select(id), open(id), insert(position), move(id, position).
   * @param {{ frame: Frame, model: Model, on: Values }} options
   */
  constructor({ frame, model, on }) {
    this.frame = frame;
    this.on = on;
    /** @type {Stage[]} */
    this.stages = [];
    this.selected = 0;
    this.layer = h("div", { class: "pw-layer" });
    this.list = h("ol", { class: "pw-bubbles", "aria-label": "Stages" });
    this.pluses = h("div", { class: "pw-pluses" });
    this.layer.append(this.list, this.pluses);
    this.canvas = h("div", { class: "pw-canvas", "aria-hidden": "true" });
    this.box = h(
      "div",
      { class: "pw-graphbox", role: "group", "aria-label": "Stage graph" },
      this.canvas,
      this.layer,
    );
    this.list.addEventListener("keydown", (event) => this.key(event));
    // The layer is moved by its transform alone; a browser that scrolls to a focused bubble would move it
    // twice.
    this.box.addEventListener("scroll", () => this.box.scrollTo(0, 0));
    this.box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
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
   * @param {any} renderer
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
    if (this.opened) {
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
    const focused = this.list.contains(document.activeElement)
      ? document.activeElement.parentElement.dataset.key
      : null;
    this.stages = stages;
    keyed(
      this.list,
      stages,
      (/** @type {Stage} */ stage) => stage.id,
      () => this.bubble(),
      (/** @type {El} */ el, /** @type {Stage} */ stage, /** @type {number} */ at) =>
        this.fill(el, stage, at),
    );
    this.settle();
    this.drawNear();
    if (focused) this.focus(Number(focused));
    this.renderer?.show(stages);
    this.renderer?.select(this.selected);
  }

  /**
   * A chain that has grown or shrunk is shown whole again, unless somebody has looked elsewhere meanwhile.
   */
  settle() {
    const grown = this.shown !== undefined && this.shown !== this.stages.length;
    this.shown = this.stages.length;
    if (grown && this.opened && !this.roamed && this.readable) this.fit();
  }

  get readable() {
    return this.box.clientWidth / chainWidth(this.stages.length) >= ZOOM.readable;
  }

  bubble() {
    const face = h("button", { type: "button", class: "pw-bubble", tabindex: "-1", "aria-pressed": "false" });
    const el = h("li", {}, face);
    face.addEventListener("click", () => {
      this.on.select(Number(el.dataset.key));
    });
    face.addEventListener("dblclick", () => this.on.open(Number(el.dataset.key)));
    face.addEventListener("focus", () => this.reveal(Number(el.dataset.key)));
    return el;
  }

  /**
   * @param {El} el
   * @param {Stage} stage
   * @param {number} at
   */
  fill(el, stage, at) {
    if (el.shown === stage && el.at === at) return;
    [el.shown, el.at, el.drawn] = [stage, at, false];
    const { x, y } = place(at);
    el.style.left = `${x - BUBBLE.width / 2}px`;
    el.style.top = `${y - BUBBLE.height / 2}px`;
    el.firstElementChild.setAttribute("aria-label", stageWords(stage));
    el.firstElementChild.dataset.status = stage.status;
  }

  /** Draw the bubbles and "+" that can be seen or nearly so: a chain may have a thousand. */
  drawNear() {
    const { zoom, pan } = this.viewport,
      last = this.stages.length;
    const from = Math.max(0, Math.floor(-pan.x / zoom / STEP) - 2);
    const to = Math.min(last, Math.ceil((this.box.clientWidth - pan.x) / zoom / STEP) + 2);
    for (const el of [...this.list.children].slice(from, to))
      if (!el.drawn) {
        el.drawn = true;
        drawBubble(el.firstElementChild, el.shown);
      }
    const wanted = last ? Array.from({ length: Math.max(0, to - from) + 1 }, (_, at) => from + at) : [];
    keyed(
      this.pluses,
      wanted,
      (/** @type {number} */ at) => at,
      (at) =>
        button({
          label: "+",
          glyph: "plus",
          quiet: true,
          kind: "pw-plus",
          tabindex: "-1",
          "data-changes": "",
          onclick: () => this.on.insert(at),
        }),
      (/** @type {El} */ el, /** @type {number} */ at) => {
        const name =
          at === 0
            ? "Insert a stage at the beginning"
            : at === last
              ? "Add a stage at the end"
              : `Insert a stage between ${at} and ${at + 1}`;
        if (el.title === name) return;
        el.setAttribute("aria-label", name);
        el.title = name;
        el.style.left = `${at * STEP - STEP / 2 - 12}px`;
        el.style.top = "-12px";
      },
    );
  }

  /** @param {number} id */
  select(id) {
    this.selected = id;
    const chosen = this.list.querySelector(`[data-key="${id}"]`),
      entry = chosen ?? this.list.firstElementChild;
    for (const el of this.list.querySelectorAll('[tabindex="0"], [aria-pressed="true"]')) {
      el.tabIndex = -1;
      el.setAttribute("aria-pressed", "false");
    }
    chosen?.firstElementChild.setAttribute("aria-pressed", "true");
    if (entry) entry.firstElementChild.tabIndex = 0; // one stop for Tab; the arrows go on from there
    this.renderer?.select(id);
  }

  /** @param {number} id */
  focus(id) {
    this.list.querySelector(`[data-key="${id}"]`)?.firstElementChild.focus({ preventScroll: true });
  }

  /** @param {number} id */
  hover(id) {
    const stage = this.stages.find((each) => each.id === id);
    this.box.title = stage
      ? [stageWords(stage), ...(stage.stale || []), stage.held].filter(Boolean).join("\n")
      : "";
  }

  // ---- keys and wheel

  /** @param {any} event */
  key(event) {
    const focused = Number(event.target.closest("li").dataset.key);
    const at = this.stages.findIndex((stage) => stage.id === focused);
    /** @param {number} to */
    const go = (to) => {
      const stage = this.stages[Math.max(0, Math.min(this.stages.length - 1, to))];
      if (!stage) return;
      this.on.select(stage.id);
      this.focus(stage.id);
    };
    const ways = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const by = /** @type {Record<string, number>} */ (ways)[event.key];
    if (by && event.altKey) {
      const to = at + by;
      if (to >= 0 && to < this.stages.length) this.on.move(focused, to);
    } else if (by) go(at + by);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(this.stages.length - 1);
    else if (event.key === "Delete" || event.key === "Backspace") this.on.remove(focused);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * The wheel scrolls the notebook, as everywhere; sideways it pans, and with Ctrl it zooms.
   * @param {any} event
   */
  wheel(event) {
    const view = this.renderer?.viewport;
    if (!view) return;
    const sideways =
      Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
    if (event.ctrlKey) {
      const box = this.box.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
    } else if (sideways) this.pan(-sideways);
    else return;
    event.preventDefault();
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
        this.drawing = null;
        this.drawNear();
      });
  }

  /**
   * @param {number} zoom
   * @param {{ x: number, y: number }} pan
   */
  look(zoom, pan) {
    this.renderer.look(zoom, pan);
    this.moved();
  }

  /** @param {View} view */
  see({ zoom, pan }) {
    this.look(zoom, pan);
  }

  get extent() {
    return { width: this.box.clientWidth, height: this.box.clientHeight, stages: this.stages.length };
  }

  /**
   * @param {number} factor
   * @param {any} [around]
   */
  zoom(factor, around = { x: this.box.clientWidth / 2, y: this.box.clientHeight / 2 }) {
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
   * @param {number} x
   * @param {number} y
   */
  dragged(id, x, y) {
    const el = this.list.querySelector(`[data-key="${id}"]`);
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
    const el = this.list.querySelector(`[data-key="${id}"]`);
    el?.classList.remove("pw-dragged");
    this.layer.classList.remove("pw-dragging");
    if (el)
      [el.style.left, el.style.top] = [`${from * STEP - BUBBLE.width / 2}px`, `${-BUBBLE.height / 2}px`];
    this.renderer.place(id, place(from));
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
