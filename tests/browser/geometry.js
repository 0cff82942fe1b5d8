// What is wrong with where things lie within a view: what sticks out, is cut off, or covers another control.

const NEAR = 1.5; // pixels that rounding may make
const CONTROLS =
  "button, input, select, textarea, a[href], summary, [role=button], [role=tab], [role=slider]";
const SELF_CUTTING = /^(input|textarea|select|canvas|video|img|option)$/;

const isHidden = (element) => {
  const { width, height } = element.getBoundingClientRect();
  return (
    width < 2 ||
    height < 2 ||
    !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) ||
    !!element.closest(".pw-hidden, [aria-hidden=true], [hidden]")
  );
};

const describe = (element) => {
  const text = (element.getAttribute("aria-label") || element.textContent || "").replace(/\s+/g, " ").trim();
  return `${element.localName}.${(element.getAttribute("class") ?? "").replaceAll(" ", ".")} "${text.slice(0, 50)}"`;
};

// The part of an element that is seen within what scrolls or cuts around it.
const seenPart = (root, element) => {
  let { left, right, top, bottom } = element.getBoundingClientRect();
  for (let each = element.parentElement; each && each !== root.parentElement; each = each.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(each);
    if (overflowX === "visible" && overflowY === "visible") continue;
    const box = each.getBoundingClientRect();
    [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
    [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
  }
  return { left, right, top, bottom, width: right - left, height: bottom - top };
};

const findStickingOut = (root, all) => {
  const around = root.getBoundingClientRect();
  const wide = root.scrollWidth - root.clientWidth;
  const found = wide > NEAR ? [`the view scrolls sideways by ${wide}`] : [];
  for (const element of all) {
    const { right, left, width } = seenPart(root, element);
    const out = Math.max(right - around.right, around.left - left);
    if (width > 0 && out > NEAR) found.push(`sticks out by ${Math.round(out)}: ${describe(element)}`);
  }
  return found;
};

const findCutOff = (all) =>
  all
    .filter((element) => {
      const { overflowX, overflowY } = getComputedStyle(element);
      const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (!isText || overflowX === "visible" || /auto|scroll/.test(overflowX + overflowY)) return false;
      if (SELF_CUTTING.test(element.localName) || element.closest("[title]")) return false;
      const isLost =
        element.scrollWidth > element.clientWidth + NEAR || element.scrollHeight > element.clientHeight + 4;
      return isLost && !element.closest(".pw-bubble, [role=option]");
    })
    .map((element) => `is cut off without a title: ${describe(element)}`);

const findCovered = (root, all) => {
  const controls = all
    .filter((element) => element.matches(CONTROLS))
    .map((element) => ({ element, ...seenPart(root, element) }))
    .filter(({ width, height }) => width > 2 && height > 2);
  return controls.flatMap((one, at) =>
    controls
      .slice(at + 1)
      .filter((other) => !one.element.contains(other.element) && !other.element.contains(one.element))
      .filter((other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 2)
      .filter((other) => Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 2)
      .map((other) => `${describe(one.element)} covers ${describe(other.element)}`),
  );
};

window.findFaults = (root) => {
  const isAbove = (element) => {
    const layer = element.closest("dialog, [popover]");
    return !!layer && layer !== root;
  };
  const all = [...root.querySelectorAll("*")].filter(
    (element) => !(element instanceof SVGElement) && !isHidden(element) && !isAbove(element),
  );
  return [...new Set([...findStickingOut(root, all), ...findCutOff(all), ...findCovered(root, all)])].slice(
    0,
    12,
  );
};
