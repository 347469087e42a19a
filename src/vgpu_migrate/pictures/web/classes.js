// The map of VM classes on gpu classes: a table per board.

let mapShown = "before";
const STATE_CLASS = { live: "s-live", sleep: "s-sleep", hibernate: "s-hibernate", cold: "s-cold" };

function cellOf(kind) {
  if (kind < 0) return { text: "", style: "s-other", said: "another board, or MIG on one side only" };
  const [bits, hit] = plan[mapShown].kinds[kind];
  const best = STATES.find(([bit]) => bits & bit);
  const text = best ? STATES.map(([bit, , letter]) => bits & bit ? letter : "·").join("") : "––––";
  const rules = hit.length ? `; rules that hit: ${hit.map((id) => `${id} (${plan.rules[id] || ""})`).join(", ")}` : "";
  return { text, style: best ? STATE_CLASS[best[1]] : "s-none", said: statesSaid(bits) + rules };
}

function showMaps() {
  const map = plan[mapShown], boards = [...new Set([...map.vms, ...map.gpus].map((line) => line[1]))].sort();
  const parts = [];
  if (map.more_vms || map.more_gpus) {
    parts.push(el("p", { class: "hint" }, `The largest classes are shown; ${counted(map.more_vms, "VM class", "VM classes")} and ${counted(map.more_gpus, "gpu class", "gpu classes")} more are not. The command matrix shows all.`));
  }
  for (const board of boards) {
    const rows = indexes(map.vms, board), columns = indexes(map.gpus, board);
    parts.push(el("h3", {}, board));
    if (!rows.length || !columns.length) {
      parts.push(el("p", { class: "hint" }, rows.length ? "No gpu of this board takes vgpus." : `No VM has a vgpu of this board; ${counted(columns.reduce((sum, column) => sum + map.gpus[column][3], 0), "gpu")}.`));
      continue;
    }
    parts.push(boardTable(map, board, rows, columns));
  }
  if (!boards.length) parts.push(el("p", {}, "No VM has a vgpu, and no gpu takes any."));
  fill("maps", parts);
}
function indexes(lines, board) { return lines.flatMap((line, number_) => line[1] === board ? [number_] : []); }

function boardTable(map, board, rows, columns) {
  const said = el("p", { class: "cell-said hint", "aria-live": "polite" }, "Choose a cell: arrows move.");
  const head = el("tr", {}, el("th", { scope: "col" }, "VM class"), el("th", { scope: "col", class: "number" }, "VMs"),
    columns.map((column) => el("th", { scope: "col", title: map.gpus[column][2] }, map.gpus[column][0], el("br"), counted(map.gpus[column][3], "gpu"))));
  const body = el("tbody", {});
  rows.forEach((row, line) => {
    const cells = columns.map((column, place) => {
      const cell = cellOf(map.cells[row][column]);
      return el("td", { class: cell.style, tabindex: line || place ? "-1" : "0", title: cell.said, "data-said": `${map.vms[row][0]} on ${map.gpus[column][0]}: ${cell.said}` }, cell.text);
    });
    body.append(el("tr", {}, el("th", { scope: "row" }, el("b", {}, map.vms[row][0]), ` ${map.vms[row][2]}`), el("td", { class: "number" }, number(map.vms[row][3])), cells));
  });
  const table = el("table", { class: "map" }, el("caption", {}, `${counted(rows.length, "VM class", "VM classes")} on ${counted(columns.length, "gpu class", "gpu classes")} of ${board} ${mapShown} the plan`), el("thead", {}, head), body);
  table.addEventListener("focusin", (event) => { if (event.target.dataset.said) said.textContent = say(event.target.dataset.said); });
  table.addEventListener("keydown", (event) => moveInMap(event, table));
  table.addEventListener("click", (event) => { if (event.target.dataset.said) moveTo(table, event.target); });
  const keys = el("dl", { class: "keys" }, columns.map((column) => [el("dt", {}, map.gpus[column][0]), el("dd", {}, map.gpus[column][2])]).flat());
  return el("div", {}, el("div", { class: "scroll" }, table), said, keys);
}
function moveInMap(event, table) {
  const cell = event.target;
  if (!cell.dataset.said) return;
  const row = cell.parentElement, at = [...row.children].indexOf(cell);
  const goal = { ArrowRight: cell.nextElementSibling, ArrowLeft: cell.previousElementSibling,
    ArrowDown: row.nextElementSibling?.children[at], ArrowUp: row.previousElementSibling?.children[at] }[event.key];
  if (goal === undefined) return;
  event.preventDefault();
  if (goal?.dataset.said) moveTo(table, goal);
}
function moveTo(table, cell) {
  for (const other of table.querySelectorAll('td[tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}
function wireClasses() {
  for (const choice of document.getElementsByName("map")) {
    choice.addEventListener("change", (event) => { mapShown = event.target.value; showMaps(); });
  }
}
