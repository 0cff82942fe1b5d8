// Which part of a chain is seen: what is at x is drawn at x * zoom + pan.

import { BUBBLE, STEP, ZOOM } from "./chain_shapes.js";

const MARGIN = 28;
const OPENED = 0.9; // the zoom at which a chain is shown first that is too long to be seen whole

/**
 * How wide a whole chain is, the "+" at its ends included.
 * @param {number} stages
 */
export const chainWidth = (stages) => Math.max(0, stages - 1) * STEP + BUBBLE.width + 2 * MARGIN + 40;

/**
 * Zoom, and leave a point where it is.
 * @param {View} view
 * @param {number} factor
 * @param {Pan} around
 * @returns {View}
 */
export function zoomedAround({ zoom, pan }, factor, around) {
  const next = Math.max(ZOOM.least, Math.min(ZOOM.most, zoom * factor));
  const by = next / zoom;
  return {
    zoom: next,
    pan: { x: around.x - (around.x - pan.x) * by, y: around.y - (around.y - pan.y) * by },
  };
}

/**
 * Keep some of the chain in sight.
 * @param {Extent} extent
 * @param {number} zoom
 * @param {Pan} pan
 */
export function panWithin({ width, stages }, zoom, pan) {
  const right = (stages - 1) * STEP * zoom;
  const edge = (BUBBLE.width / 2) * zoom;
  return { x: Math.min(width - edge - 40, Math.max(pan.x, edge + 40 - right)), y: pan.y };
}

/**
 * See the whole chain, however small.
 * @param {Extent} extent
 * @returns {View}
 */
export function wholeChain({ width, height, stages }) {
  const zoom = Math.max(ZOOM.least, Math.min(1, width / chainWidth(stages)));
  return { zoom, pan: { x: (width - Math.max(0, stages - 1) * STEP * zoom) / 2, y: height / 2 } };
}

/**
 * See the chain from a stage on.
 * @param {Extent} extent
 * @param {number} from
 * @returns {View}
 */
export function chainFrom(extent, from) {
  const x = (BUBBLE.width / 2 + MARGIN + 12 - from * STEP) * OPENED;
  return { zoom: OPENED, pan: panWithin(extent, OPENED, { x, y: extent.height / 2 }) };
}

/**
 * Where the chain has to be for a stage to be seen; null where it is seen already.
 * @param {Extent} extent
 * @param {View} view
 * @param {number} at
 */
export function panToReveal({ width }, { zoom, pan }, at) {
  const x = at * STEP * zoom + pan.x,
    half = (BUBBLE.width / 2 + 16) * zoom;
  if (x - half < 0) return { x: pan.x + half - x, y: pan.y };
  return x + half > width ? { x: pan.x - (x + half - width), y: pan.y } : null;
}
