// Numbers, names, sizes and times as people read them.

// Right-to-left scripts, and marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm.
const TURNING = new RegExp(
  "[\\u0590-\\u08ff\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufb1d-\\ufdff\\ufe70-\\ufeff" +
    "\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]",
  "u",
);

/**
 * A name as it can stand in a sentence: one that could turn the words around it is isolated. As in
 * `directions.py`.
 * @param {string} name
 */
export function isolated(name) {
  const text = String(name);
  if (!TURNING.test(text)) return text;
  let kept = "",
    open = 0;
  for (const character of text) {
    if ("\u2066\u2067\u2068".includes(character)) open += 1;
    if (character === "\u2069" && !open) continue; // it would close what stands around
    if (character === "\u2069") open -= 1;
    kept += character;
  }
  return `\u2068${kept}${"\u2069".repeat(open)}\u2069`;
}

/**
 * Say a whole number. One that JavaScript cannot hold exactly has come as text.
 * @param {Step} n
 */
export const inFull = (n) => (typeof n === "string" ? BigInt(n) : n).toLocaleString("en-US");

/**
 * Say how many of something there are.
 * @param {Step} n
 * @param {string} noun
 * @param {string} [many]
 */
export const count = (n, noun, many = `${noun}s`) => `${inFull(n)} ${n === 1 ? noun : many}`;

/**
 * Say a score in a few digits; N/A where there is none.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function score(value, digits = 4) {
  if (value === null || value === undefined) return "N/A";
  return signed(
    Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
      ? value.toExponential(2)
      : String(Number(value.toPrecision(digits))),
  );
}

/**
 * Return what says the scores of a column: all with as many digits after the point, so that they can be
 * compared.
 * @param {(number | null | undefined)[]} values
 */
export function scores(values) {
  const said = values.filter((value) => value !== null && value !== undefined).map((value) => score(value));
  if (said.some((text) => text.includes("e"))) return score;
  const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)));
  const most = Math.max(4, 3 - Math.floor(Math.log10(largest || 1)));
  const digits = Math.min(most, Math.max(0, ...said.map((text) => (text.split(".")[1] ?? "").length)));
  return (/** @type {number | null | undefined} */ value) =>
    value === null || value === undefined ? "N/A" : signed(value.toFixed(digits));
}

/**
 * Return what says the scores of a column of unlike things, as short as they are, with their points below
 * each other: spaces as wide as digits stand for the digits that one has less than others.
 * @param {(number | null | undefined)[]} values
 */
export function alignedScores(values) {
  /** @param {string} text */
  const places = (text) => (/[eA]/.test(text) ? -1 : (text.split(".")[1] ?? "").length); // N/A has no point
  const most = Math.max(0, ...values.map((value) => places(score(value))));
  return (/** @type {number | null | undefined} */ value) => {
    const text = score(value),
      own = places(text);
    return own < 0 || own === most ? text : text + (own ? "" : "\u2008") + "\u2007".repeat(most - own);
  };
}

/**
 * Write a number with a minus rather than a hyphen.
 * @param {string} text
 */
const signed = (text) => text.replace(/^-/, "\u2212");

/**
 * Say a size as people do.
 * @param {number} n
 */
export function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000) return `${unit === "B" ? n : n.toPrecision(3)} ${unit}`;
    n /= 1000;
  }
  return `${n.toPrecision(3)} TB`;
}

/**
 * Say what the processes of a run have used at most; null where no sample has told.
 * @param {{ peak_cpu: number | null, peak_memory: number | null, peak_gpu_memory: number | null }} run
 */
export function peakUse(run) {
  if (run.peak_memory === null) return null;
  const cpus = run.peak_cpu === null ? null : run.peak_cpu.toFixed(1);
  const onGpus = run.peak_gpu_memory === null ? null : `${bytes(run.peak_gpu_memory)} on GPUs`;
  const cpu = cpus === null ? null : `${cpus} ${cpus === "1.0" ? "CPU" : "CPUs"}`;
  return [cpu, `${bytes(run.peak_memory)} of memory`, onGpus].filter((each) => each !== null).join(", ");
}

/**
 * Say a duration in seconds as people do.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 1) return "less than 1 s";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return both(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86_400) return both(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return both(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3600), "h");
}

/**
 * Join two units of time; a zero of the smaller one is left out.
 * @param {number} large
 * @param {string} unit
 * @param {number} small
 * @param {string} part
 */
function both(large, unit, small, part) {
  return small ? `${large} ${unit} ${small} ${part}` : `${large} ${unit}`;
}

/**
 * Say how long something will take; that is a guess, so no more exact than one believes it.
 * @param {number} seconds
 */
export function remaining(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
  if (minutes < 60) return `${minutes} min left`;
  if (minutes < 600) return `${both(Math.floor(minutes / 60), "h", minutes % 60, "min")} left`;
  if (minutes < 2880) return `${Math.round(minutes / 60)} h left`;
  return `${Math.round(minutes / 1440)} d left`;
}

/**
 * Say a moment, given in seconds since 1970, as a distance.
 * @param {number} at
 */
export function ago(at) {
  const s = Date.now() / 1000 - at;
  if (s < 45) return "just now";
  if (s < 3600) return `${Math.max(1, Math.round(s / 60))} min ago`;
  if (s < 86_400) return `${Math.round(s / 3600)} h ago`;
  if (s < 14 * 86_400) return `${count(Math.round(s / 86_400), "day")} ago`;
  return new Date(at * 1000).toLocaleDateString();
}

/**
 * Begin with a capital letter.
 * @param {string} text
 */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * End with a full stop, unless another mark ends it.
 * @param {string} text
 */
export const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/**
 * Make a sentence of a reason: these come without their full stop and, some of them, in small letters.
 * @param {string} text
 */
export const asSentence = (text) => ended(capital(text));

/** @type {Record<string, string>} */
const METRIC_NAMES = {
  scores: "Training and evaluation score",
  training_score: "Training score",
  evaluation_score: "Evaluation score",
};

/**
 * The evaluators that have scored any of these, by name.
 * @param {{ scores: Record<string, number | null> }[]} scored
 */
export const evaluatorsOf = (scored) =>
  [...new Set(scored.flatMap((each) => Object.keys(each.scores)))].sort();

/**
 * Name a metric as people do.
 * @param {string} name
 */
export const metricName = (name) => (Object.hasOwn(METRIC_NAMES, name) ? METRIC_NAMES[name] : name);
