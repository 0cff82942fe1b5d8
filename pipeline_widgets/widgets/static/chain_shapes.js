// The measures and colours of a chain, however it is drawn.

export const BUBBLE = { width: 212, height: 88 };
export const STEP = 268; // from one stage to the next
export const ZOOM = { least: 0.05, most: 1.6, readable: 0.72 };

/** @param {El} el */
export const edgeColour = (el) => token(el, "--pw-line-strong", "#8d949c");
/**
 * @param {El} el
 * @param {string} name
 * @param {string} fallback
 */
export const token = (el, name, fallback) => getComputedStyle(el).getPropertyValue(name).trim() || fallback;
/** @type {Record<string, string>} */
export const STATUS_TOKEN = {
  Succeeded: "--pw-ok",
  Running: "--pw-run",
  Pending: "--pw-run",
  Stopping: "--pw-run",
  Failed: "--pw-bad",
  Crashed: "--pw-bad",
  Stopped: "--pw-quiet",
  Draft: "--pw-line-strong",
};

/**
 * Where a stage stands: the middle of its bubble.
 * @param {number} at
 */
export const place = (at) => ({ x: at * STEP, y: 0 });
