// What the page shows for ranges of steps: before one is chosen, after a drag over the curve, and
// after its ends were moved by keys.
(() => {
  const one = (selector) => document.querySelector(selector);
  const percent = (part, whole) => Math.round((100 * part) / whole);
  const boxes = () => [...document.querySelectorAll(".view.range li li > .box")]
    .filter((box) => box.offsetWidth > 0)
    .map((box) => {
      const name = box.querySelector(".name").textContent.replace("series::", "").slice(0, 12);
      const width = percent(box.offsetWidth, one(".view.range").offsetWidth);
      return `${name} ${width} ${box.classList.contains("fell") ? "less" : "more"}`;
    });
  const say = () => {
    const view = one(".flame > input:checked").className;
    const [band, brush] = [one(".band"), one(".brush")].map((of) => of.getBoundingClientRect());
    const at = (x) => percent(x - brush.left, brush.width);
    const range = band.width ? `${at(band.left)} ${at(band.right)}` : "none";
    const [from, to] = [...document.querySelectorAll(".ends output")].map((end) => end.textContent);
    const text = one(".said").textContent.replace(/^.*step [^:]*: /, "");
    const fits = document.documentElement.scrollWidth <= innerWidth ? "" : " too wide";
    return `${view} ${range}; ${from} to ${to}: ${text} ${boxes().join(", ")}${fits}`.trim();
  };
  const said = [say()];
  const { left, top, width } = one(".brush").getBoundingClientRect();
  const drag = (type, share) => one(".plot").dispatchEvent(new PointerEvent(type, {
    bubbles: true, button: 0, clientX: left + share * width, clientY: top + 20,
  }));
  // From beside the mark at step 600 to beside that at 1,600.
  drag("pointerdown", 0.238);
  drag("pointermove", 0.4);
  drag("pointermove", 0.61);
  drag("pointerup", 0.61);
  said.push(say());
  for (const [end, index] of [[".from", 0], [".to", 7]]) {
    one(`.ends ${end}`).value = index;
    one(`.ends ${end}`).dispatchEvent(new Event("input", { bubbles: true }));
  }
  said.push(say());
  return said.join(" | ");
})()
