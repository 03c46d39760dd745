"use strict";
// Sorting, filters, fronts of what is left, tooltips, one row lit everywhere. The page reads well without any of it.
(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);
  const STEP = 100; // rows in the table at a time: thousands in a document make every browser slow

  const body = byId("rows"), form = byId("filters"), count = byId("count"), more = byId("more");
  const rows = all("tr", body).map((row) => ({ row, text: row.textContent.toLowerCase(), data: row.dataset }));
  const places = new Map(); // of a row's key: its points and names in the plots
  all("[data-row]").forEach((item) => {
    if (item.tagName.toLowerCase() === "tr") return;
    const listed = places.get(item.dataset.row);
    if (listed) listed.push(item); else places.set(item.dataset.row, [item]);
  });
  const rowOf = new Map(rows.map((item) => [item.data.row, item]));

  // The table holds the first rows of those that are left, in the order of the sorted column.
  let left = rows.slice(), shown = STEP;
  const fill = () => {
    body.replaceChildren(...left.slice(0, shown).map((item) => item.row));
    const total = rows.length.toLocaleString("en");
    count.textContent = left.length === rows.length ? total + " rows" : left.length.toLocaleString("en") + " of " + total + " rows";
    more.hidden = left.length <= shown;
    more.textContent = "show " + Math.min(STEP * 5, left.length - shown) + " more rows";
  };
  more.addEventListener("click", () => { shown += STEP * 5; fill(); });

  // Sorting: a heading, and again for the other order; what has no value stays last.
  const table = body.closest("table"), headings = all("thead th", table);
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const numeric = heading.classList.contains("num");
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const names = new Intl.Collator("en", { numeric: true });
      const sorted = rows.map((item) => ({ item, value: item.row.cells[column].dataset.sort }));
      sorted.sort((a, b) => {
        if (a.value === "" || b.value === "") return (a.value === "" ? 1 : 0) - (b.value === "" ? 1 : 0);
        return (numeric ? Number(a.value) - Number(b.value) : names.compare(a.value, b.value)) * (down ? -1 : 1);
      });
      sorted.forEach(({ item }, index) => { rows[index] = item; });
      left = rows.filter((item) => item.in !== false);
      fill();
    });
  });

  // The front of the points that are left: from the left, each that is higher than all before it.
  const clouds = all(".cloud").filter((cloud) => cloud.querySelector(".front")).map((cloud) => ({
    right: Number(cloud.dataset.right), bottom: Number(cloud.dataset.bottom),
    line: cloud.querySelector(".front"), area: cloud.querySelector(".front-area"),
    points: all(".point", cloud).map((item) => ({ item, x: Number(item.dataset.x), y: Number(item.dataset.y), key: item.dataset.row })),
    names: all(".label.on-front", cloud),
  }));
  const front = (cloud) => {
    const seen = cloud.points.filter((point) => point.y <= cloud.bottom && rowOf.get(point.key).in !== false).sort((a, b) => a.x - b.x || a.y - b.y);
    let best = Infinity, path = "", start = 0;
    const on = new Set();
    seen.forEach((point) => {
      if (point.y >= best) return;
      path += path === "" ? "M" + point.x + "," + point.y : "H" + point.x + "V" + point.y;
      if (best === Infinity) start = point.x;
      best = point.y;
      on.add(point.key);
    });
    if (path !== "") path += "H" + cloud.right;
    cloud.line.setAttribute("d", path);
    cloud.area.setAttribute("d", path === "" ? "" : path + "V" + cloud.bottom + "H" + start + "Z");
    cloud.points.forEach((point) => point.item.classList.toggle("on", on.has(point.key)));
    cloud.names.forEach((name) => { name.style.display = on.has(name.dataset.row) ? "" : "none"; });
  };

  const apply = () => {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = all("select", form).filter((item) => item.value !== "").map((item) => [item.dataset.filter, item.value]);
    const best = byId("front").checked;
    rows.forEach((item) => {
      item.in = words.every((word) => item.text.includes(word)) && wanted.every(([name, value]) => item.data[name] === value)
        && (!best || item.data.front === "1");
      (places.get(item.data.row) || []).forEach((place) => { place.style.display = item.in ? "" : "none"; });
    });
    clouds.forEach(front);
    left = rows.filter((item) => item.in);
    shown = STEP;
    fill();
    const gzip = byId("gzip").checked;
    all("figure[data-axis='size']").forEach((item) => { item.hidden = gzip; });
    all("figure[data-axis='gzip']").forEach((item) => { item.hidden = !gzip; });
    document.body.classList.toggle("no-anchors", !byId("anchors").checked);
  };
  let waiting = 0;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 60); });
  form.addEventListener("reset", () => setTimeout(apply, 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();

  // Tooltips: text only, never markup. One listener for all points.
  const tip = byId("tip");
  const show = (target, x, y) => {
    tip.replaceChildren();
    target.dataset.tip.split(" · ").forEach((line, index) => {
      const row = document.createElement(index ? "div" : "strong");
      row.textContent = line;
      tip.appendChild(row);
    });
    tip.classList.add("on");
    const box = tip.getBoundingClientRect();
    const above = y - box.height - 12;
    tip.style.left = Math.max(8, Math.min(x + 14, window.innerWidth - box.width - 8)) + "px";
    tip.style.top = (above > 8 ? above : y + 18) + "px";
  };
  let lit = "";
  const light = (key) => {
    if (key === lit) return;
    const turn = (name, on) => {
      (places.get(name) || []).forEach((item) => item.classList.toggle("lit", on));
      if (rowOf.has(name)) rowOf.get(name).row.classList.toggle("lit", on);
    };
    turn(lit, false);
    turn(key, true);
    lit = key;
  };
  const over = (target, x, y) => {
    const marked = target.closest(".anchor"), keyed = target.closest("[data-row]");
    const told = marked || (keyed && keyed.tagName.toLowerCase() !== "tr" && rowOf.has(keyed.dataset.row) ? rowOf.get(keyed.dataset.row).row : null);
    if (told) show(told, x, y); else tip.classList.remove("on");
    light(keyed ? keyed.dataset.row : "");
  };
  document.addEventListener("pointermove", (event) => { if (event.target instanceof Element) over(event.target, event.clientX, event.clientY); });
  document.addEventListener("focusin", (event) => {
    const box = event.target.getBoundingClientRect();
    over(event.target, box.right, box.top);
  });
  document.addEventListener("focusout", () => { tip.classList.remove("on"); light(""); });

  // A click on a point, or Enter, leads to its row.
  const lead = (point) => {
    const item = rowOf.get(point.dataset.row), index = left.indexOf(item);
    if (index < 0) return;
    if (index >= shown) { shown = index + STEP; fill(); }
    item.row.scrollIntoView({ block: "center" });
    light(point.dataset.row);
  };
  all(".point").forEach((point) => point.addEventListener("click", () => lead(point)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target instanceof Element && event.target.matches(".point")) lead(event.target);
  });

  // Printing shows every row that is left.
  window.addEventListener("beforeprint", () => { shown = left.length; fill(); });
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();
