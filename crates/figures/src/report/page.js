// What the page does beyond being read: its tables sort and filter, its figures open large.
"use strict";
(() => {
  // The fewest rows that are worth a filter.
  const MANY_ROWS = 8;

  // ---- Tables of results

  // A cell's number, without its interval; its text where it is none; nothing where it says nothing.
  function value(row, column) {
    const text = row.cells[column].textContent.split("±")[0].trim().replace("−", "-");
    if (text === "–" || text === "") return null;
    const number = Number(text);
    return Number.isNaN(number) ? text : number;
  }

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), undefined, { numeric: true });
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[header.ariaSort || "none"];
        for (const other of headers) other.ariaSort = other === header ? next : "none";
        const sign = next === "descending" ? -1 : 1;
        // What a row does not have comes last either way; the third click gives the page's own order.
        const sorted = next === "none" ? rows : [...rows].sort((a, b) => {
          const [one, other] = [value(a, column), value(b, column)];
          return one === null || other === null ? (one === null) - (other === null) : sign * compare(one, other);
        });
        table.classList.toggle("sorted", next !== "none");
        body.append(...sorted);
      });
    });
  }

  function filtered(table) {
    const rows = [...table.tBodies[0].rows];
    const filter = document.createElement("input");
    filter.type = "search";
    filter.className = "filter";
    filter.placeholder = "Filter rows";
    filter.setAttribute("aria-label", "Filter the rows of this table");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        // Cells apart, so that `2` and `0.5` do not become `20.5`.
        const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    table.closest("figure").querySelector("figcaption").after(filter);
  }

  for (const table of document.querySelectorAll("figure.table table")) {
    const n = table.tBodies[0].rows.length;
    if (n > 1) sortable(table);
    if (n >= MANY_ROWS) filtered(table);
  }

  // ---- Figures

  const dialog = document.createElement("dialog");
  dialog.className = "large";
  dialog.setAttribute("aria-label", "Enlarged figure");
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);

  for (const plate of document.querySelectorAll("figure[id] > .plate:not(.live)")) {
    const drawing = plate.querySelector("svg");
    if (!drawing) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.textContent = "⤢";
    button.setAttribute("aria-label", `Enlarge ${plate.parentElement.id}`);
    const open = () => {
      const large = drawing.cloneNode(true);
      const { width, height } = drawing.viewBox.baseVal;
      large.style.width = `min(96vw, ${(94 * width) / height}vh)`;
      const inside = document.createElement("div");
      inside.className = "plate";
      inside.append(large);
      dialog.replaceChildren(inside);
      dialog.showModal();
    };
    button.addEventListener("click", open);
    drawing.addEventListener("click", open);
    plate.append(button);
  }
})();
