// Which part of a chain is seen, and how large. What is at x is drawn at x * zoom + pan. A chain is as wide
// as its room at any zoom, since it wraps; one that is too high is scrolled.

import { layChain, place, stagesBetween, ZOOM } from "./chain_layout.js";

const HIGHEST = 612; // px that a chain takes of the page: four rows
const SCROLLBAR = 14; // px

export class ChainViewport {
  constructor() {
    this.width = 0; // px
    this.stages = 0;
    this.zoom = 1;
    this.top = 0; // px that are scrolled away
    /** @type {ChainLayout | null} */
    this.kept = null;
  }

  /** @returns {ChainLayout} */
  get layout() {
    this.kept ??= this.lay(this.zoom);
    return this.kept;
  }

  /** @param {number} zoom */
  lay(zoom) {
    const { width, stages } = this;
    const layout = layChain({ width, zoom, stages });
    return layout.height * zoom <= HIGHEST ? layout : layChain({ width: width - SCROLLBAR, zoom, stages });
  }

  /** The height of the whole chain in px. */
  get whole() {
    return this.layout.height * this.zoom;
  }

  get height() {
    return Math.min(HIGHEST, this.whole);
  }

  get scrolls() {
    return this.whole > this.height;
  }

  get pan() {
    const { layout, zoom } = this;
    const width = this.width - (this.scrolls ? SCROLLBAR : 0);
    return { x: (width - layout.width * zoom) / 2, y: -this.top };
  }

  /** The stages that can be seen, or nearly so: a chain may have a thousand. */
  get range() {
    return stagesBetween(this.layout, this.top / this.zoom, (this.top + this.height) / this.zoom);
  }

  /**
   * Have another width, number of stages or zoom. One stage stays where it was, if it can be seen, and else
   * the first that can.
   * @param {{ width?: number, stages?: number, zoom?: number }} changed
   * @param {number} at
   */
  change({ width = this.width, stages = this.stages, zoom = this.zoom }, at) {
    if (width === this.width && stages === this.stages && zoom === this.zoom) return;
    const before = this.kept && this.stages ? this.seen(at) : null;
    Object.assign(this, { width, stages, zoom, kept: null });
    if (before && before.at < stages) this.scroll(place(this.layout, before.at).y * zoom - before.y);
    else this.scroll(this.top);
    if (this.top < this.layout.brim * zoom) this.top = 0; // nothing but a part of a "+" would be cut off
  }

  /**
   * A stage to keep in sight, and how far below the upper edge its middle is.
   * @param {number} at
   */
  seen(at) {
    const y = (/** @type {number} */ one) => place(this.layout, one).y * this.zoom - this.top;
    const inSight = at >= 0 && at < this.stages && y(at) > 0 && y(at) < this.height;
    const first = Array.from({ length: this.layout.rows }, (_, row) => row * this.layout.columns);
    const kept = inSight ? at : (first.find((one) => y(one) > 0) ?? 0);
    return { at: kept, y: y(kept) };
  }

  /** @param {number} zoom */
  bounded(zoom) {
    return Math.max(ZOOM.least, Math.min(ZOOM.most, zoom));
  }

  /** The zoom at which the whole chain is seen; of a very long one as much as can be read. */
  get fitting() {
    for (let zoom = 1; zoom > ZOOM.least; zoom -= 0.02)
      if (this.lay(zoom).height * zoom <= HIGHEST) return zoom;
    return ZOOM.least;
  }

  /**
   * Scroll to so many px from the top.
   * @param {number} top
   */
  scroll(top) {
    this.top = Math.max(0, Math.min(this.whole - this.height, top));
  }

  /**
   * Bring a stage into sight, if it is not.
   * @param {number} at
   */
  reveal(at) {
    const { y } = place(this.layout, at),
      half = this.layout.card.height / 2 + 20;
    const above = (y - half) * this.zoom,
      below = (y + half) * this.zoom;
    if (above < this.top) this.scroll(above);
    else if (below > this.top + this.height) this.scroll(below - this.height);
  }
}
