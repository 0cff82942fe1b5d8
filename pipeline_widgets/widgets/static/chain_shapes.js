// The colours of a chain, however it is drawn.

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
