// How uPlot draws a chart: its axes, its cursor and its lines.

import { emphasiseNearest, lastValueAt, zoomToSelection } from "./chart_cursor.js";
import { paintBands, paintChart } from "./chart_paint.js";
import { chartDecades, chartTicks, chartTickTexts } from "./chart_style.js";

/**
 * The range of an axis on which all values are the same, or there is none.
 * @param {number | null} low
 * @param {number | null} high
 */
const chartSpread = (low, high) => [
  low === null ? 0 : low - (Math.abs(low) || 1) * 0.5,
  high === null ? 1 : high + (Math.abs(high) || 1) * 0.5,
];
/** @param {number} exponent */
const chartPower = (exponent) => Math.min(Number.MAX_VALUE, Math.max(Number.MIN_VALUE, 10 ** exponent));
/**
 * The range of a logarithmic axis: whole powers of ten.
 * @param {number | null} low
 * @param {number | null} high
 */
const chartPowers = (low, high) => {
  if (low === null || high === null) return [0.1, 1];
  const first = Math.floor(Math.log10(low)),
    last = Math.floor(Math.log10(high) - 1e-9) + 1;
  // all values may be the same power of ten
  return [chartPower(first), chartPower(Math.max(last, first + 1))];
};
// Ticks are ours: uPlot adds them up, which has no end where neighbouring numbers cannot be told apart.
/**
 * @param {Plot} _plot
 * @param {number} _n
 * @param {number} low
 * @param {number} high
 * @param {number} dim
 * @param {number} space
 */
const chartApart = (_plot, _n, low, high, dim, space) => [Math.max(10, ((high - low) * space * 2) / dim)];

/**
 * What both axes have.
 * @param {MetricChart} chart
 */
const chartAxis = (chart) => ({
  stroke: () => chart.colour("--pw-text-soft"),
  font: `11px ${getComputedStyle(chart.el).fontFamily}`,
  ticks: { show: false },
  labelFont: `11px ${getComputedStyle(chart.el).fontFamily}`,
  labelSize: 18,
  labelGap: 0,
});

/** @param {MetricChart} chart */
function chartStepAxis(chart) {
  return {
    ...chartAxis(chart),
    label: () => chart.xTitle,
    size: 22,
    gap: 4,
    grid: { show: false },
    incrs: chartApart,
    space: 64,
    filter: (/** @type {Plot} */ _plot, /** @type {number[]} */ ticks) => ticks,
    splits: (
      /** @type {Plot} */ plot,
      /** @type {number} */ _n,
      /** @type {number} */ low,
      /** @type {number} */ high,
    ) => chart.axis.ticks(low, high, plot.bbox.width / devicePixelRatio / 64, chart.group.extent?.[1] ?? 0),
    values: (/** @type {Plot} */ _plot, /** @type {number[]} */ ticks) => chart.stepTexts(ticks),
  };
}

/** @param {MetricChart} chart */
function chartValueAxis(chart) {
  return {
    ...chartAxis(chart),
    label: () => chart.yTitle,
    size: (/** @type {Plot} */ _plot, /** @type {string[]} */ said) =>
      Math.max(36, 14 + 6.5 * Math.max(0, ...(said ?? []).map((text) => text.length))),
    gap: 6,
    grid: { stroke: () => chart.colour("--pw-chart-grid"), width: 1 },
    space: 36,
    incrs: chart.log ? undefined : chartApart,
    filter: (/** @type {Plot} */ _plot, /** @type {number[]} */ ticks) => ticks,
    splits: (
      /** @type {Plot} */ plot,
      /** @type {number} */ _n,
      /** @type {number} */ low,
      /** @type {number} */ high,
    ) =>
      chart.log ? chartDecades(low, high) : chartTicks(low, high, plot.bbox.height / devicePixelRatio / 36),
    values: (/** @type {Plot} */ _plot, /** @type {number[]} */ ticks) =>
      chartTickTexts(ticks.map((/** @type {number} */ tick) => tick * chart.unit)),
  };
}

/** @param {MetricChart} chart */
function chartCursor(chart) {
  return {
    y: false,
    drag: { x: true, y: false, setScale: false },
    bind: { dblclick: () => () => chart.group.zoomOut() },
    sync: {
      key: chart.group.sync,
      scales: ["x", null],
      filters: { pub: (/** @type {string} */ type) => type === "mousemove" || type === "mouseleave" },
    },
    points: {
      size: 8,
      width: 2,
      fill: () => chart.colour("--pw-bg"),
      stroke: (/** @type {Plot} */ _plot, /** @type {number} */ n) =>
        chart.colour(`--pw-c${chart.series[(n - 1) % chart.series.length].style.colour}`),
    },
    dataIdx: (/** @type {Plot} */ _plot, /** @type {number} */ n, /** @type {number} */ at) =>
      lastValueAt(chart, n, at),
  };
}

/** @param {MetricChart} chart */
function chartValueScale(chart) {
  return chart.log
    ? {
        distr: 3,
        range: (
          /** @type {Plot} */ _plot,
          /** @type {number | null} */ low,
          /** @type {number | null} */ high,
        ) => chartPowers(low, high),
      }
    : {
        range: (
          /** @type {Plot} */ _plot,
          /** @type {number | null} */ low,
          /** @type {number | null} */ high,
        ) =>
          low === null || high === null || low === high
            ? chartSpread(low, high)
            : [low - (high - low) * 0.05, high + (high - low) * 0.05],
      };
}

/**
 * Return what uPlot is told of a chart.
 * @param {MetricChart} chart
 * @param {number} width
 */
export function chartOptions(chart, width) {
  return {
    width,
    height: chart.height,
    padding: [chart.axis.bands ? 24 : chart.best === null ? 10 : 18, 20, 0, 0],
    legend: { show: false },
    cursor: chartCursor(chart),
    scales: { x: { time: false }, y: chartValueScale(chart) },
    axes: [chartStepAxis(chart), chartValueAxis(chart)],
    series: [
      {},
      ...[...chart.series, ...(chart.smoothed ? chart.series : [])].map(({ name, style }) => ({
        label: name,
        width: 1.6,
        dash: style.dash,
        stroke: () => chart.colour(`--pw-c${style.colour}`),
        points: { show: false },
      })),
    ],
    hooks: {
      drawClear: [(/** @type {Plot} */ plot) => paintBands(chart, plot)],
      draw: [(/** @type {Plot} */ plot) => paintChart(chart, plot)],
      setSelect: [(/** @type {Plot} */ plot) => zoomToSelection(chart, plot)],
      setCursor: [
        (/** @type {Plot} */ plot) => {
          chart.say(plot.cursor.left >= 0 ? (plot.cursor.idx ?? null) : null);
          emphasiseNearest(chart, plot);
        },
      ],
    },
  };
}
