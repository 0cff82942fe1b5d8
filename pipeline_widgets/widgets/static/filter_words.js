// Which words can stand where somebody types a filter.

const SUGGESTED = 8; // names that are shown at a time

/**
 * The word at the end of a filter, and what can stand in its place.
 * @param {string} text Of the filter, up to the caret.
 * @param {FilterFields} known
 * @returns {{ from: number, choices: { text: string, hint: string }[] }}
 */
export function suggest(text, { fields, values }) {
  const [, name = "", begun = ""] =
    text.match(/(?:^|[\s(])(?:([^\s()<>=!~"]+)\s*(?:!=|=|~)\s*)?("[^"]*|[^\s()<>=!~"]*)$/) ?? [];
  const sought = begun.replace(/^"/, "").toLowerCase(),
    from = text.length - begun.length;
  if (name) {
    const choices = (values[name.toLowerCase()] ?? []).filter((value) =>
      value.toLowerCase().includes(sought),
    );
    return { from, choices: choices.slice(0, SUGGESTED).map((value) => ({ text: quoted(value), hint: "" })) };
  }
  if (!sought) return { from, choices: [] };
  const found = fields.filter(({ name: field }) => field.toLowerCase().includes(sought));
  const first = found.filter(({ name: field }) => field.toLowerCase().startsWith(sought));
  const all = [...new Set([...first, ...found])].slice(0, SUGGESTED);
  return { from, choices: all.map(({ name: field, kind }) => ({ text: quoted(field), hint: kind })) };
}

/** @param {string} text */
const quoted = (text) => (/^[^\s()<>=!~"']+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`);
