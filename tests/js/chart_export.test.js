// A chart as a file: nothing of a name becomes markup or a formula.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  chartCsv,
  chartSvg,
  csvText,
  escapeXml,
  svgPath,
} from "../../pipeline_widgets/widgets/static/chart_export.js";
import { fileName } from "../../pipeline_widgets/widgets/static/chart_tools.js";

test("a table is quoted where it has to be, and nothing in it is a formula", () => {
  assert.equal(csvText([['a"b', "c,d", "=1+1", null, -2.5], ["-4"]]), '"a""b","c,d",\'=1+1,,-2.5\r\n-4\r\n');
});

test("the points of a chart are a row each, with the smoothed value beside", () => {
  const series = [
    {
      name: "sft run 1",
      points: /** @type {Point[]} */ ([
        [1, 0.5],
        [2, null],
      ]),
    },
  ];
  assert.equal(
    chartCsv({ metric: "loss", column: "step", series }),
    "series,step,loss\r\nsft run 1,1,0.5\r\nsft run 1,2,\r\n",
  );
  const smoothed = [
    {
      ...series[0],
      smoothed: /** @type {Point[]} */ ([
        [1, 0.5],
        [2, null],
      ]),
      places: [0.5, 1],
    },
  ];
  assert.equal(
    chartCsv({ metric: "loss", column: "seconds", series: smoothed }),
    "series,seconds,loss,loss (smoothed)\r\nsft run 1,0.5,0.5,0.5\r\nsft run 1,1,,\r\n",
  );
});

test("a picture escapes names, and leaves out what XML cannot hold", () => {
  assert.equal(escapeXml('<b a="1">&\u0001\ud800'), "&#60;b a=&#34;1&#34;&#62;&#38;??");
  const svg = chartSvg({
    title: "<script>alert(1)</script>",
    width: 300,
    height: 200,
    area: { left: 50, top: 10, width: 230, height: 140 },
    colours: { ground: "#fff", text: "#000", soft: "#555", grid: "#ddd" },
    axes: { x: { title: "Step", ticks: [[50, "0"]] }, y: { title: "loss", ticks: [[20, "1"]] } },
    bands: [{ from: 50, to: 100, name: "2 <i>", shaded: true }],
    lines: [{ points: [[50, 20], null, [60, 30]], colour: "#00f", dash: [7, 3], opacity: 0.3 }],
    keys: [{ name: "a & b", colour: "#00f", dash: [] }],
    note: "1 point of 0 or less is not drawn.",
  });
  assert.ok(!/<script|<i>/.test(svg));
  for (const said of [
    "&#60;script",
    "2 &#60;i",
    "a &#38; b",
    ">Step<",
    ">loss<",
    "1 point of 0",
    'stroke-opacity="0.3"',
  ])
    assert.ok(svg.includes(said), said);
  assert.ok(svg.includes('d="M50 20M60 30"'));
});

test("a line has a gap where a point is missing", () => {
  assert.equal(svgPath([[1, 2], [3, 4.04], null, [5, 6]]), "M1 2L3 4M5 6");
});

test("a file is called like its metric", () => {
  assert.equal(fileName("rewards/chosen: mean"), "rewards-chosen-mean");
  assert.equal(fileName("../<>"), "chart");
});
