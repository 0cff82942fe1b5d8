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
  // with the last change that has come, so that Python knows whether one was missed
  const lease = () => frame.line.tell("lease", { view: frame.id, sequence: frame.model.get("sequence") });
  const settle = () => {
    const wanted = seen && document.visibilityState === "visible" && !frame.closed;
    if (wanted === leased) return;
    leased = wanted;
    clearInterval(timer);
    if (!wanted) return frame.line.tell("release", { view: frame.id });
    lease();
    timer = window.setInterval(lease, RENEW);
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
