// The sliders of ipywidgets have a visible description and no accessible name: give them the one they show.
(() => {
  const name = () => document.querySelectorAll(".noUi-handle:not([aria-label])").forEach((handle) => {
    const label = handle.closest(".jupyter-widgets")?.querySelector(".widget-label");
    handle.setAttribute("aria-label", label?.textContent.trim() || "value");
  });
  new MutationObserver(name).observe(document.documentElement, { childList: true, subtree: true });
})();
