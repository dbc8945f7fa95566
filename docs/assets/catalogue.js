// The table of the catalogue: a field that keeps rows with all its words, and headers that sort.
(() => {
  if (!/\/catalogue(\/|\.html)/.test(location.pathname)) return;
  const table = document.querySelector("article table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];

  const field = document.createElement("input");
  field.type = "search";
  field.className = "table-search";
  field.placeholder = "Search: mixer 224 apache";
  field.setAttribute("aria-label", "Search the catalogue");
  const count = document.createElement("div");
  count.className = "table-search-count";
  count.setAttribute("aria-live", "polite");
  const place = table.closest(".md-typeset__scrollwrap") || table;
  place.before(field, count);

  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} files`;
  };
  field.addEventListener("input", show);
  show();

  [...table.tHead.rows[0].cells].forEach((header, column) => {
    header.dataset.sort = "";
    header.tabIndex = 0;
    header.title = "Sort";
    let down = false;
    const value = (row) => row.cells[column].textContent.trim();
    const sort = () => {
      const order = (a, b) => value(a).localeCompare(value(b), undefined, { numeric: true });
      rows.sort((a, b) => (down ? -order(a, b) : order(a, b)));
      down = !down;
      body.append(...rows);
    };
    header.addEventListener("click", sort);
    header.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
})();
