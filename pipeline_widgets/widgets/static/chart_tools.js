// What one chart can be told: another axis, another height, and to be saved as a picture or a table.

import { chartCsv, chartSvg, pngOf } from "./chart_export.js";
import { openMenu } from "./dialogs.js";
import { button, html, make } from "./elements.js";
import { saveBlob, saveFile } from "./files.js";
import { isolated } from "./text.js";

const HEIGHT_LEAST = 120,
  HEIGHT_MOST = 800, // px of a chart
  HEIGHT_STEP = 20; // px of a press of an arrow key

/**
 * The buttons of a chart: its logarithmic axis, and its files.
 * @param {MetricChart} chart
 */
export function chartTools(chart) {
  const named = () => isolated(chart.title);
  return html`${button({
    label: "Log",
    title: "Logarithmic axis",
    pressed: chart.log,
    onclick: () => chart.setLog(!chart.log),
  })}${button({
    label: "Save chart",
    glyph: "import",
    quiet: true,
    popup: true,
    onclick: (opener) =>
      openMenu(opener, [
        { label: "Save as PNG", onclick: () => savePng(chart) },
        {
          label: "Save as SVG",
          onclick: () => saveFile(`${fileName(chart.title)}.svg`, chartSvg(chart.picture()), "image/svg+xml"),
        },
        {
          label: "Save as CSV",
          title: `The points of ${named()} that are drawn`,
          onclick: () => saveFile(`${fileName(chart.title)}.csv`, chartCsv(chart.table()), "text/csv"),
        },
      ]),
  })}`;
}

/** @param {MetricChart} chart */
async function savePng(chart) {
  const name = `${fileName(chart.title)}.png`;
  saveBlob(name, await pngOf(chartSvg(chart.picture())));
}

/**
 * A name of a file for a chart.
 * @param {string} title
 */
export const fileName = (title) =>
  title.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|-+$/g, "") || "chart";

/**
 * A handle below a chart that changes its height: it is dragged, or moved with the arrow keys.
 * @param {MetricChart} chart
 */
export function heightHandle(chart) {
  /** @param {number} height */
  const set = (height) => {
    chart.chosenHeight = Math.max(HEIGHT_LEAST, Math.min(HEIGHT_MOST, Math.round(height)));
    chart.resize(chart.chosenHeight);
  };
  const handle = make(
    html`<div class="pw-chart-handle" role="separator" tabindex="0" aria-orientation="horizontal"
      aria-label="Height of the chart" title="Drag, or press the arrow keys, to change the height"
      aria-valuemin=${HEIGHT_LEAST} aria-valuemax=${HEIGHT_MOST} aria-valuenow=${chart.height}
      @keydown=${(/** @type {KeyboardEvent} */ event) => {
        const to = { ArrowDown: chart.height + HEIGHT_STEP, ArrowUp: chart.height - HEIGHT_STEP }[event.key];
        if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        set(to);
      }}></div>`,
  );
  handle.addEventListener("pointerdown", (down) => {
    const { height } = chart;
    down.preventDefault();
    handle.focus();
    handle.setPointerCapture(down.pointerId);
    const move = (/** @type {PointerEvent} */ event) => set(height + event.clientY - down.clientY);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), {
      once: true,
    });
  });
  return handle;
}
