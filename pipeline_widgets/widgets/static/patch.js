// What has changed of a value that the page has already; `widgets/patches.py` finds it.

/**
 * Return a value with what has changed. What has not stays the same object, so that nobody looks through it.
 * @template Value
 * @param {Value} value
 * @param {Patch} patch
 * @returns {Value}
 */
export function applyPatch(value, patch) {
  return /** @type {Value} */ (patched(value, patch));
}

/**
 * @param {any} value
 * @param {Patch} patch
 */
function patched(value, patch) {
  if ("value" in patch) return patch.value;
  if ("keep" in patch) return [...value.slice(0, patch.keep), ...patch.add];
  const made = Array.isArray(value) ? [...value] : { ...value };
  const changed = "items" in patch ? patch.items : Object.entries(patch.fields);
  for (const [at, each] of changed) made[at] = patched(made[at], each);
  return made;
}
