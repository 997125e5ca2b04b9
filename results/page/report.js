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

// An element with properties and children; texts are texts, never markup.
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const FEW_ROWS = 8;
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
  // A field above a long table hides the rows that do not have its words.
  const rows = bodies.flatMap(([, of]) => of);
  if (rows.length < FEW_ROWS) continue;
  const field = make("input", { type: "search", autocomplete: "off" });
  const count = make("span", { className: "count" });
  count.setAttribute("role", "status");
  const names = (row) => [...row.cells].filter((cell) => !cell.classList.contains("number"));
  const words = rows.map((row) => names(row).map((cell) => cell.textContent).join(" ").toLowerCase());
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, place) => (row.hidden = !wanted.every((word) => words[place].includes(word))));
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  });
  table.closest(".box").before(make("p", { className: "filter" }, make("label", {}, "Filter rows ", field), count));
}

// A link to a folded part opens it; paper has every part.
const folded = [...document.querySelectorAll("details")];
function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  target.scrollIntoView();
}
window.addEventListener("hashchange", reveal);
reveal();
// A second click on the same link changes no hash.
for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", () => setTimeout(reveal));
let closed = [];
window.addEventListener("beforeprint", () => {
  closed = folded.filter((part) => !part.open);
  closed.forEach((part) => (part.open = true));
});
window.addEventListener("afterprint", () => closed.forEach((part) => (part.open = false)));
