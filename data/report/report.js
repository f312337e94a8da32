"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  const unfold = document.querySelector('[data-tools="unfold"]');
  if (unfold) {
    unfold.hidden = false;
    unfold.querySelector("button").addEventListener("click", () => {
      for (const details of all("details")) details.open = true;
    });
  }

  const number = (text) => {
    const plain = text.replaceAll("−", "-").replace(/[, %]/g, "").replace("∞", "Infinity");
    return plain === "" ? NaN : Number(plain);
  };
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    if (a === "" || b === "") return a === "" ? 1 : -1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  for (const table of all("[data-sortable]")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const text = (row) => row.cells[column].textContent.trim();
        const rows = Array.from(body.rows).sort((a, b) => compare(text(a), text(b)));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  }

  const filter = document.querySelector('[data-tools="filter"]');
  const listed = document.querySelector("[data-filterable]");
  if (filter && listed) {
    filter.hidden = false;
    const status = filter.querySelector("[data-status]");
    filter.querySelector("input").addEventListener("input", (event) => {
      const wanted = event.target.value.toLowerCase();
      const rows = Array.from(listed.tBodies[0].rows);
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      const left = rows.filter((row) => !row.hidden).length;
      status.textContent = wanted ? `${left} of ${rows.length} shown` : "";
    });
  }

  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

})();
