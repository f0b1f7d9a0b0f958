"use strict";
// Light and dark, as the system says until the button is used.
(() => {
  const theme = document.getElementById("theme");
  const isDark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  theme.hidden = false;
  nameTheme();
  // Paper is white.
  let kept;
  addEventListener("beforeprint", () => { kept = document.documentElement.dataset.theme; document.documentElement.dataset.theme = "light"; });
  addEventListener("afterprint", () => {
    if (kept) document.documentElement.dataset.theme = kept; else delete document.documentElement.dataset.theme;
  });
})();
