// What a chart says at a step, and what it gives to be saved.

import { chartBefore } from "./chart_style.js";
import { isolated, scores } from "./text.js";

/**
 * Read the series at a step: each value, and where it is from if that is another step. `reading` is whether
 * one reads a step, rather than the latest values.
 * @param {Series[]} series
 * @param {Step | undefined} step
 * @param {{ axis: ChartAxis, reading: boolean, smoothed: Point[][] | null }} how
 */
export function readSeries(series, step, { axis, reading, smoothed }) {
  const one = series.length === 1;
  const found = series.map((each) => (step === undefined ? undefined : chartBefore(each, step)));
  const say = scores(found.map((point) => point?.[1]));
  return series.map((each, n) => {
    const point = found[n];
    if (!point) return { name: each.name, text: "", note: "" };
    const other = point[0] !== step && (reading || one),
      over = other && each.ended && point === each.points[each.points.length - 1];
    // a stage that is over has no value where another one is read
    if (axis.bands && reading && over) return { name: each.name, text: "", note: "" };
    const notes = [];
    if (smoothed) notes.push(`smoothed ${say(chartBefore({ points: smoothed[n] }, point[0])?.[1])}`);
    if (other) notes.push(`${over ? "ended at" : "at"} ${axis.short(point[0])}`);
    return { name: each.name, text: say(point[1]), note: notes.join(", ") };
  });
}

/**
 * Say readings in a sentence.
 * @param {ReturnType<typeof readSeries>} readings
 */
export const sayReadings = (readings) =>
  readings
    .filter(({ text }) => text)
    .map(({ name, text, note }) => {
      const named = readings.length === 1 ? "" : `${isolated(name)} `;
      return `${named}${text}${note && ` (${note})`}`;
    })
    .join(", ");

/**
 * What a chart draws, in px of its place: for a file.
 * @param {MetricChart} chart
 * @param {Plot} plot
 * @returns {ChartPicture}
 */
export function pictureOf(chart, plot) {
  const ratio = devicePixelRatio,
    { bbox } = plot,
    area = {
      left: bbox.left / ratio,
      top: bbox.top / ratio,
      width: bbox.width / ratio,
      height: bbox.height / ratio,
    };
  /** @param {Step} step */
  const x = (step) => area.left + plot.valToPos(chart.group.scale.x(step), "x");
  /** @param {Point} point @returns {[number, number] | null} */
  const place = ([step, value]) => {
    const y = chart.y(value);
    return y === null || y === undefined ? null : [x(step), area.top + plot.valToPos(y, "y")];
  };
  /** @param {[number, number]} point */
  const within = ([at]) => at >= area.left - 1 && at <= area.left + area.width + 1;
  const lines = chart.series.flatMap(({ points, style }, n) => {
    const colour = chart.colour(`--pw-c${style.colour}`),
      smoothed = chart.smoothed?.[n];
    /** @param {Point[]} drawn @param {number} opacity */
    const line = (drawn, opacity) => ({
      points: drawn.map(place).filter((point) => !point || within(point)),
      colour,
      dash: style.dash,
      opacity,
    });
    return smoothed ? [line(points, 0.3), line(smoothed, 1)] : [line(points, 1)];
  });
  const [xTicks, yTicks] = plot.axes.map((axis) => axis._splits ?? []),
    [xTexts, yTexts] = plot.axes.map((axis) => axis._values ?? []);
  return {
    title: chart.title,
    width: plot.width,
    height: plot.height,
    area,
    colours: {
      ground: chart.colour("--pw-bg"),
      text: chart.colour("--pw-text"),
      soft: chart.colour("--pw-text-soft"),
      grid: chart.colour("--pw-line"),
    },
    axes: {
      x: {
        title: chart.xTitle,
        ticks: xTicks.map((tick, at) => [area.left + plot.valToPos(tick, "x"), xTexts[at] ?? ""]),
      },
      y: {
        title: chart.yTitle,
        ticks: yTicks.map((tick, at) => [area.top + plot.valToPos(tick, "y"), yTexts[at] ?? ""]),
      },
    },
    bands: (chart.axis.bands ?? []).map((band, at) => {
      const from = Math.max(area.left, x(band.first)),
        to = Math.min(area.left + area.width, x(band.last));
      return { from, to: Math.max(from, to), name: `${band.number} ${band.name}`, shaded: at % 2 === 1 };
    }),
    lines,
    keys: chart.series.map(({ name, style }) => ({
      name,
      colour: chart.colour(`--pw-c${style.colour}`),
      dash: style.dash,
    })),
    note: chart.note.textContent ?? "",
  };
}

/**
 * The points of a chart, for a table.
 * @param {MetricChart} chart
 */
export function tableOf({ title, axis, series, smoothed }) {
  return {
    metric: title,
    column: axis.column,
    series: series.map(({ name, points }, n) => ({
      name,
      points,
      smoothed: smoothed?.[n],
      places: axis.value && points.map(([step]) => axis.value?.(step) ?? step),
    })),
  };
}
