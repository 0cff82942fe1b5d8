// The lease of a view: Python refreshes it for as long as it can be seen.

const RENEW = 10_000; // ms between two renewals of a lease; Python drops one after 30 s

/**
 * Keep a lease while a view can be seen, until it is gone.
 * @param {Frame} frame
 */
export function keepLease(frame) {
  let seen = false,
    leased = false,
    timer = 0;
  const settle = () => {
    const wanted = seen && document.visibilityState === "visible" && !frame.closed;
    if (wanted === leased) return;
    leased = wanted;
    clearInterval(timer);
    frame.line.tell(wanted ? "lease" : "release", { view: frame.id });
    if (wanted) timer = window.setInterval(() => frame.line.tell("lease", { view: frame.id }), RENEW);
  };
  const observer = new IntersectionObserver((entries) => {
    seen = entries[entries.length - 1].isIntersecting;
    settle();
    frame.toast.place();
  });
  observer.observe(frame.root);
  frame.listen(document, "visibilitychange", settle);
  frame.listen(window, "pagehide", () => {
    frame.closed = true;
    settle();
  });
  frame.listen(window, "pageshow", () => {
    frame.closed = false;
    settle();
  });
  frame.undo.push(() => {
    observer.disconnect();
    frame.closed = true;
    settle();
    clearInterval(timer);
  });
}
