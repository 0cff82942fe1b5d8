// What is painted into a chart beside its lines.

import { CHART_CROSS } from "./chart_style.js";

const BAND_SHADE = 0.12; // of every other stage
const CHART_MARKED = 5; // marks on a line, so that it can be followed where others lie on it

/**
 * Draw what the lines alone do not show: marks on them, single points, where a value is no number, and the
 * best step.
 * @param {MetricChart} chart
 * @param {Plot} plot
 */
export function paintChart(chart, plot) {
  const { ctx } = plot,
    ratio = devicePixelRatio,
    { left, top, width, height } = plot.bbox;
  if (chart.best !== null) paintBest(chart, plot, plot.valToPos(chart.group.scale.x(chart.best), "x", true));
  ctx.save();
  ctx.beginPath();
  ctx.rect(left - 5 * ratio, top - 5 * ratio, width + 10 * ratio, height + 10 * ratio);
  ctx.clip();
  chart.series.forEach(({ style, points: raw, resumed = [] }, n) => {
    const points = chart.smoothed?.[n] ?? raw,
      line = (chart.smoothed ? chart.series.length : 0) + n;
    /** @param {number | null} value */
    const shown = (value) => value !== null && !(chart.log && value <= 0);
    const values = points.filter(([, value]) => shown(value));
    const every = Math.max(1, Math.ceil(values.length / CHART_MARKED));
    ctx.globalAlpha = plot.series[line + 1].alpha ?? 1;
    ctx.strokeStyle = chart.colour(`--pw-c${style.colour}`);
    ctx.fillStyle = style.hollow ? chart.colour("--pw-bg") : ctx.strokeStyle;
    values.forEach(([step, value], at) => {
      if (values.length <= 12 || at === values.length - 1 || (values.length - 1 - at + n) % every === 0)
        paintMark(chart, plot, step, value, style.mark);
    });
    points.forEach(([step, value], at) => {
      const before = points[at - 1]?.[1] ?? null;
      if (value === null && shown(before)) paintMark(chart, plot, step, before, CHART_CROSS);
    });
    for (const step of resumed) paintResumed(chart, plot, step, chart.series.length === 1);
  });
  ctx.restore();
}

/**
 * @param {MetricChart} chart
 * @param {Plot} plot
 * @param {Step} step
 * @param {number | null} value
 * @param {string} mark
 */
function paintMark(chart, plot, step, value, mark) {
  const ratio = devicePixelRatio * 0.85,
    shape = new Path2D(mark),
    { ctx } = plot;
  ctx.save();
  ctx.translate(
    plot.valToPos(chart.group.scale.x(step), "x", true),
    plot.valToPos(chart.y(value), "y", true),
  );
  ctx.scale(ratio, ratio);
  ctx.lineWidth = 1.5;
  ctx.fill(shape);
  ctx.stroke(shape);
  ctx.restore();
}

/**
 * @param {MetricChart} chart
 * @param {Plot} plot
 * @param {number} x
 */
function paintBest(chart, { ctx, bbox: { left, top, width, height } }, x) {
  const ratio = devicePixelRatio;
  if (x < left - 1 || x > left + width + 1) return;
  ctx.save();
  ctx.strokeStyle = chart.colour("--pw-text-soft");
  ctx.fillStyle = ctx.strokeStyle;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  ctx.lineWidth = ratio;
  ctx.beginPath();
  ctx.moveTo(x, top - 2 * ratio);
  ctx.lineTo(x, top + height);
  ctx.stroke();
  ctx.font = `${11 * ratio}px ${getComputedStyle(chart.el).fontFamily}`;
  ctx.textAlign = "center";
  ctx.fillText("best", Math.max(left + 12 * ratio, Math.min(left + width, x)), top - 5 * ratio);
  ctx.restore();
}

/**
 * Mark where a run was resumed: what lies before was reported by the runs before.
 * @param {MetricChart} chart
 * @param {Plot} plot
 * @param {Step} step
 * @param {boolean} named
 */
function paintResumed(chart, { ctx, valToPos, bbox: { top, height } }, step, named) {
  const ratio = devicePixelRatio,
    x = valToPos(chart.group.scale.x(step), "x", true);
  ctx.save();
  ctx.setLineDash([ratio, 3 * ratio]);
  ctx.lineWidth = ratio;
  ctx.beginPath();
  ctx.moveTo(x, top);
  ctx.lineTo(x, top + height);
  ctx.stroke();
  if (named) {
    ctx.fillStyle = chart.colour("--pw-text-soft");
    ctx.font = `11px ${getComputedStyle(chart.el).fontFamily}`.replace("11", String(11 * ratio));
    ctx.fillText("resumed", x + 4 * ratio, top + 10 * ratio);
  }
  ctx.restore();
}

/**
 * Draw a band for each stage, behind the lines: every other one is shaded, and each has its number and name.
 * @param {MetricChart} chart
 * @param {Plot} plot
 */
export function paintBands(chart, plot) {
  const { ctx } = plot,
    ratio = devicePixelRatio,
    { left, top, width, height } = plot.bbox;
  /** @param {Step} step */
  const x = (step) =>
    Math.max(left, Math.min(left + width, plot.valToPos(chart.group.scale.x(step), "x", true)));
  ctx.save();
  ctx.font = `${11 * ratio}px ${getComputedStyle(chart.el).fontFamily}`;
  ctx.textAlign = "left";
  (chart.axis.bands ?? []).forEach(({ first, last, number, name }, at) => {
    const from = x(first),
      across = x(last) - from;
    if (across <= 0) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, 0, across, top + height);
    ctx.clip();
    if (at % 2) {
      ctx.globalAlpha = BAND_SHADE;
      ctx.fillStyle = chart.colour("--pw-text-soft");
      ctx.fillRect(from, top, across, height);
      ctx.globalAlpha = 1;
    }
    ctx.fillStyle = chart.colour("--pw-text-soft");
    ctx.fillText(`${number} ${name}`, from + 4 * ratio, top - 7 * ratio);
    ctx.restore();
  });
  ctx.restore();
}
