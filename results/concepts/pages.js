// The field above a list of cases hides those that do not have its words; the box, those that are not wrong.
const search = document.getElementById("search");
if (search) {
  const rows = [...document.querySelectorAll("#cases-list tbody tr")];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const wrong = document.getElementById("wrong-only");
  const count = document.getElementById("search-count");
  const show = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, place) => {
      row.hidden = !wanted.every((word) => words[place].includes(word)) || (wrong.checked && !row.dataset.wrong);
      left += !row.hidden;
    });
    count.textContent = `${left} of ${rows.length} shown`;
  };
  document.getElementById("filter").hidden = false;
  search.addEventListener("input", show);
  wrong.addEventListener("change", show);
  show();
}
