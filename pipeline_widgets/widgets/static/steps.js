// The steps of a run: their order, and where they lie on an axis. A step up to 2**53 is a number, and beyond
// that text, which is exact: what is shown, compared and sent back is that.

/**
 * Whether a choice is a step, rather than a word.
 * @param {Step} choice
 */
export const isStep = (choice) =>
  Number.isInteger(choice) || (typeof choice === "string" && /^\d+$/.test(choice));

/**
 * Compare two steps, for sorting.
 * @param {Step} one
 * @param {Step} other
 */
export function stepOrder(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  const [a, b] = [BigInt(one), BigInt(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const MOST_ACROSS = 1e15; // between two places of an axis: what is drawn has no more digits than a double

/**
 * Where steps lie on an axis: `x(step)` is a number that is small enough to be drawn, and `step(x)` the step
 * there.
 */
export class StepScale {
  /**
   * `steps`: all of them, in order.
   * @param {Step[]} steps
   */
  constructor(steps) {
    const first = steps[0] ?? 0,
      last = steps[steps.length - 1] ?? 0;
    this.base = typeof last === "string" ? BigInt(first) : null; // null: steps are drawn as they are
    const across = this.base === null ? 0 : Number(BigInt(last) - this.base);
    this.unit = across > MOST_ACROSS ? 10 ** Math.ceil(Math.log10(across / MOST_ACROSS)) : 1;
    this.name = `${this.base} ${this.unit}`;
  }

  /**
   * @param {Step} step
   * @returns {number}
   */
  x(step) {
    if (this.base === null) return /** @type {number} */ (step);
    return Number(BigInt(step) - this.base) / this.unit;
  }

  /** @param {number} x */
  step(x) {
    if (this.base === null) return Math.round(x);
    const step = this.base + BigInt(Math.round(x * this.unit));
    return String(step < 0n ? 0n : step);
  }
}
