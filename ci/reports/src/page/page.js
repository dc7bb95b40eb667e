"use strict";
// What the page can do beyond being read: sort and filter its tables, enlarge boxes of its
// flame graphs, draw them for a range of steps, copy its commands. Without it, all else is there
// and can be read.
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
  const shown = (item, sibling) => {
    while (item?.hidden) item = item[sibling];
    return item;
  };
  const next = (item, arrow) => ({
    ArrowUp: above(item),
    ArrowDown: item.querySelector(":scope > ul > li:not(.away, [hidden])"),
    ArrowLeft: shown(item.previousElementSibling, "previousElementSibling"),
    ArrowRight: shown(item.nextElementSibling, "nextElementSibling"),
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

  // Between two steps each box is as wide as what its call sites changed by: what became less is
  // as wide as what became more. The steps are chosen by two sliders, or by a drag over the curve,
  // which goes from mark to mark.
  const NEAR = 12;
  const WIDE = .12;
  const number = (figure) => figure.toLocaleString("en-US");
  const signed = (figure) => `${figure > 0 ? "+" : ""}${number(figure)} B`;
  const stacks = (count) => `${number(count)} call stack${count === 1 ? "" : "s"}`;
  const list = (text) => JSON.parse(text);

  const changeOf = (series, [from, to]) => list(series)[to] - list(series)[from];

  // What became more and less in a box and in each box below it.
  const weigh = (item, range, weights) => {
    const change = item.dataset.series ? changeOf(item.dataset.series, range) : 0;
    const weight = { more: Math.max(change, 0), less: Math.max(-change, 0) };
    for (const child of item.querySelectorAll(":scope > ul > li")) {
      const { more, less } = weigh(child, range, weights);
      weight.more += more;
      weight.less += less;
    }
    weights.set(item, weight);
    return weight;
  };

  const drawRange = (view, range) => {
    const top = view.querySelector("li");
    const weights = new Map();
    weigh(top, range, weights);
    const width = (item) => weights.get(item).more + weights.get(item).less;
    for (const [item, { more, less }] of weights) {
      if (item === top) continue;
      const part = width(item);
      item.hidden = part === 0;
      item.style.width = `${(100 * part / (width(above(item)) || 1)).toFixed(3)}%`;
      const amount = signed(more - less);
      const at = box(item);
      at.classList.toggle("fell", less > more);
      at.querySelector(":scope > .amount").textContent = part >= WIDE * width(top) ? amount : "";
      at.querySelector(".tip > b").textContent = amount;
    }
    const { more, less } = weights.get(top);
    const sums = [more, -less].filter((sum) => sum).map(signed).join(", ") || "no change";
    for (const name of box(top).querySelectorAll(".name, b")) name.textContent = sums;
    // An enlarged box that is gone would leave nothing, one with the focus would not be reached.
    if (view.querySelector(".wide[hidden]")) enlarge(view, null);
    const stop = view.querySelector(".box[tabindex=\"0\"]");
    if (stop.closest("[hidden]")) [stop.tabIndex, box(top).tabIndex] = [-1, 0];
  };

  // The same in words, with what the call stacks in the graph do not explain.
  const said = (view, steps, range) => {
    const { bytes, others, count } = view.dataset;
    const known = view.querySelectorAll("[data-series]:not([data-unknown])");
    const changes = [...known].map((item) => changeOf(item.dataset.series, range));
    const sum = (figures) => figures.reduce((sum, figure) => sum + figure, 0);
    const told = [];
    for (const of of [changes.filter((change) => change > 0), changes.filter((change) => change < 0)]) {
      if (of.length) told.push(`${signed(sum(of))} in ${stacks(of.length)}`);
    }
    const [curve, notDrawn] = [changeOf(bytes, range), changeOf(others, range)];
    const rest = curve - notDrawn - sum(changes);
    if (notDrawn) told.push(`${signed(notDrawn)} in ${stacks(Number(count))} not drawn`);
    if (rest) told.push(`${signed(rest)} in no known call stack`);
    const [from, to] = range.map((index) => number(steps[index]));
    const text = `Growth from step ${from} to step ${to}: `;
    return `${text}${told.join(", ") || "none"}; ${signed(curve)} on the curve.`;
  };

  for (const view of document.querySelectorAll(".view.range")) {
    const flame = view.closest(".flame");
    const radio = flame.querySelector(":scope > .range");
    const brush = document.getElementById(view.dataset.brush);
    const plot = brush.parentElement;
    const band = brush.querySelector(".band");
    const ends = [".from", ".to"].map((end) => view.querySelector(end));
    const steps = list(view.dataset.steps);
    const last = steps.length - 1;
    const share = (index) => Math.min(1, steps[index] / (Number(brush.dataset.last) || 1));
    let range = [];

    const choose = (from, to) => {
      range = [from, to];
      ends.forEach((end, index) => {
        const step = number(steps[range[index]]);
        end.value = range[index];
        end.setAttribute("aria-valuetext", `step ${step}`);
        end.nextElementSibling.textContent = step;
      });
      band.style.left = `${100 * share(from)}%`;
      band.style.right = `${100 * (1 - share(to))}%`;
      drawRange(view, range);
      view.querySelector(".said").textContent = said(view, steps, range);
    };
    const show = () => brush.classList.toggle("on", radio.checked);

    // An end that would pass the other takes it along.
    const moved = (index) => {
      const [from, to] = ends.map((end) => Number(end.value));
      if (from < to) return choose(from, to);
      const first = Math.max(0, Math.min(last - 1, index === 0 ? from : to - 1));
      return choose(first, first + 1);
    };
    ends.forEach((end, index) => end.addEventListener("input", () => moved(index)));
    flame.addEventListener("change", show);

    // Where a drag began: the other end stays.
    let fixed = null;
    const x = (index) => {
      const { left, width } = brush.getBoundingClientRect();
      return left + share(index) * width;
    };
    const distance = (index, event) => Math.abs(x(index) - event.clientX);
    const nearest = (indices, event) =>
      indices.reduce((a, b) => (distance(b, event) < distance(a, event) ? b : a));
    const marks = [...steps.keys()];
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const end = nearest(range, event);
      const isEnd = radio.checked && distance(end, event) <= NEAR;
      fixed = isEnd ? range.find((other) => other !== end) : nearest(marks, event);
      plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      if (fixed === null) return;
      const here = nearest(marks, event);
      if (here === fixed || (radio.checked && range.includes(here) && range.includes(fixed))) return;
      radio.checked = true;
      show();
      choose(Math.min(here, fixed), Math.max(here, fixed));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      plot.addEventListener(end, () => { fixed = null; });
    }

    for (const part of [radio, radio.nextElementSibling, view, brush]) part.hidden = false;
    plot.nextElementSibling.querySelector(".key.mark").hidden = false;
    moved(0);
    show();
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
