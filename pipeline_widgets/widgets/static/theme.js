// The theme of the page, which may change while views are shown.

const THEME_ATTRIBUTES = ["data-jp-theme-light", "data-jp-theme-name", "data-theme", "class"];

/**
 * Call `changed` after each change of theme, in a frame of its own: JupyterLab lays nothing out while it
 * changes, so that whoever is told at once finds no room to draw in. Returns what ends it.
 * @param {() => void} changed
 */
export function followTheme(changed) {
  let frame = 0;
  const observer = new MutationObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(changed);
  });
  for (const el of [document.body, document.documentElement])
    observer.observe(el, { attributeFilter: THEME_ATTRIBUTES });
  return () => {
    cancelAnimationFrame(frame);
    observer.disconnect();
  };
}
