"use strict";
// What the page can do beyond being read: sort and filter its tables, enlarge boxes of its
// flame graphs, copy its commands. Without it, all is there and can be read.
(() => {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

  // A field for words. What is done with them is told which elements have all of them.
  const search = (label, act) => {
    const input = make("input", { type: "search", placeholder: "filter", className: "filter" });
    input.setAttribute("aria-label", label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      act((element) => {
        const text = element.textContent.toLowerCase();
        return words.every((word) => text.includes(word));
      });
    });
    return input;
  };

  // Each name of a column becomes a button that sorts by it, and long tables get a filter. The
  // column that the overview is sorted by stands behind the # of the page's address, so that it
  // can be passed on: #sort=peak, #sort=-peak for the most first.
  const LONG = 6;
  const compare = (a, b) => {
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? a.localeCompare(b) : difference;
  };
  const key = (row, column) => {
    const cell = row.cells[Math.min(column, row.cells.length - 1)];
    return cell.dataset.sort ?? cell.textContent;
  };
  const sort = (table, column, sign) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.sort((a, b) => sign * compare(key(a, column), key(b, column)));
    body.append(...rows);
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
  };
  const filter = (table) => {
    const input = search("show the rows that have these words", (has) => {
      for (const row of table.tBodies[0].rows) row.hidden = !has(row);
    });
    if (table.caption) table.caption.append(input);
    else table.before(input);
  };
  for (const table of document.querySelectorAll("table.data:not(.figures)")) {
    const headers = [...table.tHead.rows[0].cells];
    const names = headers.map((header) => header.textContent);
    const isOverview = table.id === "overview";
    headers.forEach((header, column) => {
      const button = make("button", { type: "button" });
      button.append(...header.childNodes);
      button.addEventListener("click", () => {
        const isUp = header.getAttribute("aria-sort") === "ascending";
        if (isOverview) location.hash = `sort=${isUp ? "-" : ""}${names[column]}`;
        else sort(table, column, isUp ? -1 : 1);
      });
      header.append(button);
    });
    if (table.tBodies[0].rows.length > LONG) filter(table);
    if (!isOverview) continue;
    const asked = () => {
      const [, less, wanted] = location.hash.match(/^#sort=(-?)(.*)$/) ?? [];
      // Compared as it is written there: who writes it otherwise asks for nothing.
      const column = names.findIndex((name) => encodeURIComponent(name) === wanted);
      if (column >= 0) sort(table, column, less ? -1 : 1);
    };
    window.addEventListener("hashchange", asked);
    asked();
  }

  // A click or Enter makes a box as wide as the graph, and Escape shows all again. The arrows
  // go from box to box: one of each graph is reached with the tab key.
  const above = (item) => item.parentElement.closest("li");
  const box = (item) => item?.querySelector(":scope > .box");
  const enlarge = (view, item) => {
    for (const other of view.querySelectorAll("li")) other.classList.remove("wide", "away");
    for (let at = item; at; at = above(at)) {
      at.classList.add("wide");
      for (const beside of at.parentElement.children) {
        beside.classList.toggle("away", beside !== at);
      }
    }
  };
  const next = (item, arrow) => ({
    ArrowUp: above(item),
    ArrowDown: item.querySelector(":scope > ul > li:not(.away)"),
    ArrowLeft: item.previousElementSibling,
    ArrowRight: item.nextElementSibling,
  })[arrow];
  for (const flame of document.querySelectorAll(".flame")) {
    const input = search("mark the boxes that have these words", (has) => {
      for (const one of flame.querySelectorAll(".box")) one.classList.toggle("dim", !has(one));
    });
    flame.querySelector(".view").before(input);
  }
  for (const view of document.querySelectorAll(".flame .view")) {
    const boxes = [...view.querySelectorAll(".box")];
    const stop = (at) => boxes.forEach((one) => { one.tabIndex = one === at ? 0 : -1; });
    stop(boxes[0]);
    view.addEventListener("focusin", (event) => {
      const at = event.target.closest(".box");
      if (at) stop(at);
    });
    view.addEventListener("click", (event) => {
      const at = event.target.closest(".box");
      if (at && !event.target.closest(".tip")) enlarge(view, at.parentElement);
    });
    view.addEventListener("keydown", (event) => {
      const item = event.target.closest("li");
      if (!item) return;
      if (event.key === "Enter") enlarge(view, item);
      else if (event.key === "Escape") enlarge(view, null);
      else if (event.key.startsWith("Arrow")) box(next(item, event.key))?.focus();
      else return;
      event.preventDefault();
    });
  }

  for (const command of document.querySelectorAll("code.copy")) {
    const button = make("button", { type: "button", textContent: "copy" });
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(command);
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "copied";
      } catch {
        button.textContent = document.execCommand("copy") ? "copied" : "selected";
      }
    });
    command.after(" ", button);
  }
})();
