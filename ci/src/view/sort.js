"use strict";
// Makes the names of the columns buttons that sort by them. The column that the page
// is sorted by stands behind the # of its address, so that it can be passed on:
// #sort=peak, #sort=-peak for the most first.
(() => {
  const table = document.getElementById("overview");
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const names = headers.map((header) => header.textContent);
  const key = (row, column) => {
    const cell = row.cells[Math.min(column, row.cells.length - 1)];
    return cell.dataset.sort ?? cell.textContent;
  };
  const compare = (a, b) => {
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? a.localeCompare(b) : difference;
  };
  const sort = () => {
    const asked = decodeURIComponent(location.hash).match(/^#sort=(-?)(.*)$/);
    const column = asked ? names.indexOf(asked[2]) : -1;
    if (column < 0) return;
    const sign = asked[1] ? -1 : 1;
    const rows = [...body.rows];
    rows.sort((a, b) => sign * compare(key(a, column), key(b, column)));
    body.append(...rows);
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => {
      const isUp = header.getAttribute("aria-sort") === "ascending";
      location.hash = `sort=${isUp ? "-" : ""}${names[column]}`;
    });
    header.append(button);
  });
  window.addEventListener("hashchange", sort);
  sort();
})();
