// SPDX-License-Identifier: MIT
/* performance.js: dark or light, as the other page remembers it. */
'use strict';

(() => {
  const root = document.documentElement;
  const key = 'plumbline-theme';
  try {
    const kept = localStorage.getItem(key);
    if (kept) root.dataset.theme = kept;
  } catch {
    // A page from disk may have no storage.
  }
  document.getElementById('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try {
      localStorage.setItem(key, root.dataset.theme);
    } catch {
      // As above.
    }
  });
})();
