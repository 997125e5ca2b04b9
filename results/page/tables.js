"use strict";
// Headings sort their table; rows of another table body (the controls) stay apart, missing values come last.
function sorted(rows, column, direction) {
  const value = (row) => {
    const cell = row.cells[column];
    return cell.classList.contains("number") ? parseFloat(cell.dataset.value) : cell.textContent.trim();
  };
  const sign = direction === "ascending" ? 1 : -1;
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (typeof a === "string") return sign * a.localeCompare(b, "en");
    if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
    return sign * (a - b);
  });
}
for (const table of document.querySelectorAll("table.sortable")) {
  const bodies = [...table.tBodies].map((body) => [body, [...body.rows].filter((row) => row.className !== "divider")]);
  for (const heading of table.querySelectorAll("th[data-first]")) {
    const first = heading.dataset.first;
    const second = first === "ascending" ? "descending" : "ascending";
    const button = heading.querySelector("button");
    button.disabled = false;
    button.addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const next = now === null ? first : now === first ? second : null;
      table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      if (next) heading.setAttribute("aria-sort", next);
      for (const [body, rows] of bodies) body.append(...(next ? sorted(rows, heading.cellIndex, next) : rows));
    });
  }
}
