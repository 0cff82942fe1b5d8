// Parts of the panel of a stage that depend on nothing but what they show.

import { badge, h } from "./elements.js";
import { copyButton } from "./files.js";
import { sparkline } from "./sparkline.js";
import { inFull, score } from "./text.js";

/** @type {Record<string, string>} */
const CURVE_NAMES = { training_score: "Training score", evaluation_score: "Evaluation score" };

/**
 * What became of the agent that a Deployment has made.
 * @param {Frame} frame
 * @param {{ status: string, url: string, version: number, current: any, key: any }} options
 * @param {any} fact
 */
export function servedFacts(frame, { status, url, version, current, key }, fact) {
  const answers = status === "Deployed";
  const other = answers && version !== current ? `; version ${current} is the current one` : "";
  return [
    fact("Agent now", [badge(status), answers ? ` with version ${version}${other}` : ""]),
    answers
      ? fact("URL", [
          h("code", { class: "pw-panel-url" }, url),
          copyButton({
            frame,
            label: "Copy URL",
            text: () => url,
            quiet: true,
            "data-f": "agent-url",
          }),
        ])
      : null,
    key
      ? null
      : fact(
          "Key",
          "It has no key yet, so nobody can ask it. “Make a key” in ws.agents_view(), or " +
            "agent.rotate_key(), gives it one.",
        ),
  ];
}

/**
 * A metric in words, and as a small curve where it has more than one point.
 * @param {{ name?: string, points?: Point[] }} options
 */
export function metricCurve({ name, points }) {
  const shown = Object.hasOwn(CURVE_NAMES, name) ? CURVE_NAMES[name] : name;
  const values = points.map(([, value]) => value).filter((value) => value !== null);
  const [step, last] = points[points.length - 1];
  const now = last === null ? "not finite" : score(last);
  const range =
    values.length > 1 ? `, lowest ${score(Math.min(...values))}, highest ${score(Math.max(...values))}` : "";
  return [
    h(
      "div",
      { class: "pw-curve-words" },
      h("span", { class: "pw-curve-name", title: shown }, shown),
      h("span", { class: "pw-curve-last" }, now),
    ),
    points.length > 1
      ? sparkline(points, {
          width: 200,
          height: 40,
          label: `${shown}: ${now} at step ${inFull(step)}${range}`,
        })
      : null,
  ].filter(Boolean);
}
