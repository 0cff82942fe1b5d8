// A chart as a file: its points as CSV, and what it shows as SVG, of which PNG is made. Text is escaped:
// names
// of runs and metrics are the user's.

const FORMULA = /^[=+\-@\t\r]/; // with which a spreadsheet takes text for a formula
const SVG_FONT = "system-ui, sans-serif",
  SVG_TITLE = 30, // px above the lines
  SVG_KEY = 20, // px of a row of the legend
  SVG_DOTS = 12, // points of a line up to which each has a dot
  SVG_PNG = 2; // pixels of a PNG for each px

/**
 * Write a table as RFC 4180 has it.
 * @param {(string | number | null)[][]} rows
 */
export const csvText = (rows) => rows.map((row) => `${row.map(csvField).join(",")}\r\n`).join("");

/** @param {string | number | null} value */
function csvField(value) {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) && !/^-?\d+$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The points of a chart, as CSV: a row for each point, in the order of the series.
 * @param {{ metric: string, column: string, series: PlottedLine[] }} chart
 */
export function chartCsv({ metric, column, series }) {
  const smooth = series.some(({ smoothed }) => smoothed);
  const rows = series.flatMap(({ name, points, smoothed, places }) =>
    points.map(([step, value], at) => [
      name,
      places?.[at] ?? step,
      value,
      ...(smooth ? [smoothed?.[at]?.[1] ?? null] : []),
    ]),
  );
  return csvText([["series", column, metric, ...(smooth ? [`${metric} (smoothed)`] : [])], ...rows]);
}

/**
 * Escape text for XML; what XML cannot hold becomes a question mark.
 * @param {string} text
 */
export const escapeXml = (text) =>
  String(text)
    .replace(/[^\t\n\r\P{Cc}]|[\p{Cs}\ufffe\uffff]/gu, "?")
    .replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** @param {number} at */
const px = (at) => String(Number(at.toFixed(1)));

/**
 * A line through points that are there, with a gap where one is not.
 * @param {([x: number, y: number] | null)[]} points
 */
export function svgPath(points) {
  let path = "",
    open = false;
  for (const point of points) {
    if (point) path += `${open ? "L" : "M"}${px(point[0])} ${px(point[1])}`;
    open = !!point;
  }
  return path;
}

/**
 * @param {([x: number, y: number] | null)[]} points
 * @param {string} colour
 */
const svgDots = (points, colour) =>
  points
    .map((point) =>
      point ? `<circle cx="${px(point[0])}" cy="${px(point[1])}" r="3" fill="${escapeXml(colour)}"/>` : "",
    )
    .join("");

/**
 * Draw a chart as SVG, with its title above and its legend below.
 * @param {ChartPicture} picture
 */
export function chartSvg({ title, width, height, area, colours, axes, bands, lines, keys, note }) {
  const rows = [...keys.map((key) => key.name), ...(note ? [note] : [])],
    whole = SVG_TITLE + height + rows.length * SVG_KEY + 8,
    { left, top } = area,
    right = left + area.width,
    bottom = top + area.height;
  const text = (
    /** @type {number} */ x,
    /** @type {number} */ y,
    /** @type {string} */ said,
    /** @type {string} */ more = "",
  ) => `<text x="${px(x)}" y="${px(y)}" fill="${escapeXml(colours.soft)}" ${more}>${escapeXml(said)}</text>`;
  const drawn = [
    ...bands.map(
      ({ from, to, name, shaded }) =>
        (shaded
          ? `<rect x="${px(from)}" y="${px(top)}" width="${px(to - from)}" height="${px(area.height)}" ` +
            `fill="${escapeXml(colours.soft)}" fill-opacity="0.12"/>`
          : "") + text(from + 4, top - 7, name),
    ),
    ...axes.y.ticks.map(
      ([y, said]) =>
        `<path d="M${px(left)} ${px(y)}H${px(right)}" stroke="${escapeXml(colours.grid)}"/>` +
        text(left - 6, y + 4, said, 'text-anchor="end"'),
    ),
    ...axes.x.ticks.map(([x, said]) => text(x, bottom + 15, said, 'text-anchor="middle"')),
    text((left + right) / 2, bottom + 32, axes.x.title, 'text-anchor="middle"'),
    text(
      0,
      0,
      axes.y.title,
      `text-anchor="middle" transform="translate(12 ${px((top + bottom) / 2)}) rotate(-90)"`,
    ),
    ...lines.map(
      ({ points, colour, dash, opacity }) =>
        `<path d="${svgPath(points)}" fill="none" stroke="${escapeXml(colour)}" stroke-width="1.6" ` +
        `stroke-dasharray="${dash.join(" ")}" stroke-opacity="${opacity}" stroke-linejoin="round"/>` +
        (points.length <= SVG_DOTS ? svgDots(points, colour) : ""),
    ),
  ];
  const legend = rows.map((said, at) => {
    const y = SVG_TITLE + height + at * SVG_KEY + 14,
      key = keys[at];
    return key
      ? `<path d="M${px(left)} ${px(y - 4)}h24" stroke="${escapeXml(key.colour)}" stroke-width="1.6" ` +
          `stroke-dasharray="${key.dash.join(" ")}"/>${text(left + 32, y, said)}`
      : text(left, y, said);
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(whole)}" ` +
    `viewBox="0 0 ${px(width)} ${px(whole)}" font-family="${SVG_FONT}" font-size="11">` +
    `<rect width="100%" height="100%" fill="${escapeXml(colours.ground)}"/>` +
    `<text x="${px(left)}" y="19" font-size="14" font-weight="600" ` +
    `fill="${escapeXml(colours.text)}">${escapeXml(title)}</text>` +
    `<g transform="translate(0 ${SVG_TITLE})">${drawn.join("")}</g>${legend.join("")}</svg>`
  );
}

/**
 * Make a PNG of an SVG, twice as fine.
 * @param {string} svg
 * @returns {Promise<Blob>}
 */
export async function pngOf(svg) {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml;charset=utf-8" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width * SVG_PNG;
    canvas.height = image.height * SVG_PNG;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("No picture was made.")))),
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}
