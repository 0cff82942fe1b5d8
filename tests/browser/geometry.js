// What is wrong with where things lie within a view: what sticks out, is cut off, or covers another control.
(root) => {
  const found = [];
  const NEAR = 1.5; // pixels that rounding may make
  const around = root.getBoundingClientRect();
  const hidden = (element) => {
    const box = element.getBoundingClientRect();
    return (
      box.width < 2 ||
      box.height < 2 ||
      !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) ||
      !!element.closest(".pw-hidden, [aria-hidden=true], [hidden]")
    );
  };
  const named = (element) => {
    const text = (element.getAttribute("aria-label") || element.textContent || "")
      .replace(/\s+/g, " ")
      .trim();
    const kinds = element.getAttribute("class") ?? "";
    return `${element.localName}.${kinds.split(" ").join(".")} "${text.slice(0, 50)}"`;
  };
  const scrolls = (style) => /auto|scroll/.test(`${style.overflowX} ${style.overflowY}`);
  // The part of an element that can be seen within what scrolls or cuts around it.
  const seen = (element) => {
    let { left, right, top, bottom } = element.getBoundingClientRect();
    for (let each = element.parentElement; each && each !== root.parentElement; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = each.getBoundingClientRect();
      [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
      [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
    }
    return { left, right, top, bottom, width: right - left, height: bottom - top };
  };
  const isAbove = (element) =>
    !!element.closest("dialog, [popover]") && element.closest("dialog, [popover]") !== root;

  const all = [...root.querySelectorAll("*")].filter(
    (element) => !(element instanceof SVGElement) && !hidden(element) && !isAbove(element),
  );
  if (root.scrollWidth > root.clientWidth + NEAR)
    found.push(`the view scrolls sideways: ${root.scrollWidth} in ${root.clientWidth}`);
  for (const element of all) {
    const { right, left, width } = seen(element);
    if (width > 0 && (right > around.right + NEAR || left < around.left - NEAR))
      found.push(
        `sticks out by ${Math.round(Math.max(right - around.right, around.left - left))}: ${named(element)}`,
      );
  }
  for (const element of all) {
    if (/^(input|textarea|select|canvas|video|img|option)$/.test(element.localName)) continue;
    const style = getComputedStyle(element);
    const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const cuts = style.overflowX !== "visible" && !scrolls(style);
    if (!isText || !cuts) continue;
    const lost =
      element.scrollWidth > element.clientWidth + NEAR || element.scrollHeight > element.clientHeight + 4;
    const told =
      element.closest("[title]") || element.closest("[aria-label]")?.closest(".pw-bubble, [role=option]");
    if (lost && !told) found.push(`is cut off without a title: ${named(element)}`);
  }
  const CONTROLS =
    "button, input, select, textarea, a[href], summary, [role=button], [role=tab], [role=slider]";
  const controls = all
    .filter((element) => element.matches(CONTROLS))
    .map((element) => [element, seen(element)]);
  controls.forEach(([one, first], at) => {
    if (first.width < 2 || first.height < 2) return;
    for (const [other, second] of controls.slice(at + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      const wide = Math.min(first.right, second.right) - Math.max(first.left, second.left);
      const high = Math.min(first.bottom, second.bottom) - Math.max(first.top, second.top);
      if (wide > 2 && high > 2) found.push(`${named(one)} covers ${named(other)}: ${wide} by ${high}`);
    }
  });
  return [...new Set(found)].slice(0, 12);
};
