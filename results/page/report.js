// An element with properties and children; texts are texts, never markup.
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const FEW_ROWS = 8;
for (const table of document.querySelectorAll("table.sortable")) {
  // A field above a long table hides the rows that do not have its words.
  const rows = [...table.tBodies].flatMap((body) => [...body.rows].filter((row) => row.className !== "divider"));
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
