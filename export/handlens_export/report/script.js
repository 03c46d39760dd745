"use strict";
// Sorting, tooltips, the same artifact lit in every plot and table, and a scheme switch. The page reads well without any of it.
(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));

  // Tables: click a heading to sort, again to turn the order; rows without a value stay last.
  all("table").forEach((table) => {
    const body = table.querySelector("tbody.sortable");
    if (body === null) return;
    all("thead th", table).forEach((heading, column) => {
      const button = heading.querySelector("button");
      button.addEventListener("click", () => {
        const numeric = heading.classList.contains("num");
        const down = heading.getAttribute("aria-sort") === "ascending";
        all("thead th", table).forEach((other) => other.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.sort;
        const compare = (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
        const rows = Array.from(body.rows);
        rows.sort((a, b) => {
          const x = value(a), y = value(b);
          if (x === "" || y === "") return (x === "" ? 1 : 0) - (y === "" ? 1 : 0);
          return compare(x, y) * (down ? -1 : 1);
        });
        rows.forEach((row) => body.appendChild(row));
      });
    });
  });

  // Tooltips: text only, never markup.
  const tip = document.getElementById("tip");
  const show = (target, x, y) => {
    tip.replaceChildren();
    target.dataset.tip.split(" · ").forEach((line, index) => {
      const row = document.createElement(index ? "div" : "strong");
      row.textContent = line;
      tip.appendChild(row);
    });
    tip.classList.add("on");
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, window.innerWidth - box.width - 8);
    const above = y - box.height - 12;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = (above > 8 ? above : y + 18) + "px";
  };
  const hide = () => tip.classList.remove("on");
  all("[data-tip]").forEach((target) => {
    target.addEventListener("pointermove", (event) => show(target, event.clientX, event.clientY));
    target.addEventListener("pointerleave", hide);
    target.addEventListener("focus", () => {
      const box = target.getBoundingClientRect();
      show(target, box.right, box.top);
    });
    target.addEventListener("blur", hide);
  });

  // One artifact, lit wherever it appears.
  const light = (name, on) => all("[data-row]").forEach((item) => {
    if (item.dataset.row === name) item.classList.toggle("lit", on);
  });
  all("[data-row]").forEach((item) => {
    item.addEventListener("pointerenter", () => light(item.dataset.row, true));
    item.addEventListener("pointerleave", () => light(item.dataset.row, false));
  });

  // A link to an artifact opens its fold-out; printing opens all.
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target !== null) target.open = true;
  };
  window.addEventListener("hashchange", open);
  open();
  window.addEventListener("beforeprint", () => all("details").forEach((item) => { item.open = true; }));

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();
