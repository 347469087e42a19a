// The controls, and the beginning.

const selection = {};

function select(chosen, is_far) {
  for (const name of ["vm", "host", "step"]) selection[name] = chosen[name];
  let host = chosen.host;
  if (chosen.vm !== undefined && host === undefined) {
    const own = stepsOfVm.get(chosen.vm);
    host = own ? steps.source[own[0]] : vms.host[chosen.vm];
    if (own) { selection.step = own[0]; showTime(steps.start[own[0]], steps.end[own[0]]); }
  }
  if (host !== undefined && host >= 0) {
    if (!gantt.at.has(host)) { byId("which").value = "all"; byId("domain").value = ""; setRows(); }
    const there = (staysOfVm.get(chosen.vm) || []).find((stay) => isThere(stay, clock.time));
    gantt.choose(host);
    gantt.show(host);
    const on = there === undefined || chosen.host !== undefined ? host : hostOfGpu[stays.gpu[there]];
    gpuLanes.choose(on);
    gpuLanes.show(on);
  }
  tell();
  if (is_far) byId("gantt").scrollIntoView({ block: "nearest" });
}
function tell() {
  const told = selection.vm !== undefined ? tellVm(selection.vm) : selection.host !== undefined ? tellHost(selection.host) : null;
  byId("detail").hidden = !told;
  if (!told) return;
  byId("detail-h").textContent = say(told[0]);
  fill("detail-body", told.slice(1));
}

const SLIDES = 2000;
const moments = [...new Set([...steps.start, ...steps.end])].sort((a, b) => a - b);
function setTime(time) {
  clock.time = time < 0 ? BEFORE : Math.min(time, span);
  byId("time").value = clock.time < 0 ? 0 : 1 + Math.round(clock.time / span * (SLIDES - 1));
  byId("now").textContent = momentSaid(clock.time);
  byId("time").setAttribute("aria-valuetext", momentSaid(clock.time));
  const moment = [...byId("moment").options].find((option) => option.value === String(clock.time));
  byId("moment").value = moment ? moment.value : "";
  tellStrips();
  drawTimes();
  gpuLanes.later();
  if (!byId("detail").hidden) tell();
}
function tellStrips() {
  const moving = [];
  for (let step = 0; step < stepCount; step++) {
    if (steps.start[step] <= clock.time && clock.time < steps.end[step]) moving.push(step);
  }
  const moves = moving.filter((step) => steps.op[step] < 4).length, works = moving.filter((step) => steps.op[step] === UPGRADE).length;
  let gone = 0;
  for (let step = 0; step < stepCount; step++) if (steps.end[step] <= clock.time) gone++;
  byId("strips-said").textContent = clock.time < 0 ? "Before the plan: nothing has moved."
    : `${momentSaid(clock.time)[0].toUpperCase()}${momentSaid(clock.time).slice(1)}: ${counted(gone, "step")} done, ${counted(moves, "migration")}${works || plan.goal === "upgrade" ? ` and ${counted(works, "upgrade")}` : ""} under way.`;
}

function setRows() {
  const which = byId("which").value, domain = byId("domain").value, order = byId("order").value;
  const rows = [];
  for (let host = 0; host < hostCount; host++) {
    if (domain !== "" && hosts.domain[host] !== plan_domains[Number(domain)]) continue;
    const is_stuck = stuckOfHost.has(host);
    if (which === "all" || is_stuck || (which === "busy" && stepsOfHost[host].length)) rows.push(host);
  }
  const first = (host) => stepsOfHost[host].length ? steps.start[stepsOfHost[host][0]] : Infinity;
  const work = (host) => { const found = stepsOfHost[host].find((step) => steps.op[step] >= UPGRADE); return found === undefined ? Infinity : steps.start[found]; };
  const key = { time: first, work }[order];
  if (key) {
    const keys = new Map(rows.map((host) => [host, key(host)]));
    rows.sort((a, b) => (keys.get(a) === keys.get(b) ? a - b : keys.get(a) - keys.get(b)));
  }
  gantt.set(rows, rows.map(ganttHeight));
  gpuLanes.set(rows, rows.map(stripHeight));
  for (const lanes of [gantt, gpuLanes]) if (lanes.chosen === null) lanes.choose(null);
}
const plan_domains = [...new Set(hosts.domain)];

function fillControls() {
  fill("domain", el("option", { value: "" }, "all"), plan_domains.map((name, number_) => el("option", { value: number_ }, name)));
  byId("of-domain").hidden = plan_domains.length < 2;
  fill("moment", el("option", { value: "", hidden: true }, "between"), el("option", { value: BEFORE }, "before the plan"),
    waveList.length > 1 ? waveList.map(([wave, found]) => el("option", { value: found.end }, `end of wave ${wave}`)) : [], el("option", { value: span }, "after the plan"));
  byId("time").max = SLIDES;
  if (!stepsOfHost.some((list) => list.length) && !plan.stuck.length) byId("which").value = "all";
}
function fillLegends() {
  const used = [...new Set(steps.op)].sort();
  fill("ways", (used.length ? used : [0]).map((op) => el("li", {}, swatch((context, wide, high) => {
    if (op >= PIN) drawPin(context, op, wide / 2, high / 2 - BAR / 2);
    else { context.fillStyle = wayFill(context, op); context.fillRect(0, 0, wide, high); }
  }), op < 4 ? `moved ${WAYS[op]}` : WAYS[op])));
  const block = (level, hatch) => (context, wide, high) => {
    const colour = paint.colour[`size-${level}`];
    context.fillStyle = hatch ? hatched(context, colour, hatch, paint.colour.text) : colour;
    context.fillRect(0, 0, wide, high);
  };
  const levels = [...new Set(types.gib.map(sizeLevel))].sort();
  const sizes = ["", "to 1", "2 to 4", "5 to 8", "9 to 16", "17 to 24", "more than 24"];
  fill("sizes", levels.map((level) => el("li", {}, swatch(block(level)), `${sizes[level]} GiB`)),
    el("li", {}, swatch(block(2, "slant")), "arriving"), el("li", {}, swatch(block(2, "back")), "leaving"));
  fill("states", STATES.map(([, word, letter]) => el("li", {}, el("span", { class: `swatch ${STATE_CLASS[word]}` }), `${letter} ${word}`)),
    el("li", {}, el("span", { class: "swatch s-none" }), "–––– no state"), el("li", {}, el("span", { class: "swatch s-other" }), "MIG on one side only"));
}

// Names that begin so come first, then those that hold it.
function find(text, most) {
  const wanted = text.toLowerCase(), found = [[], []];
  for (const [kind, names] of [["host", hosts.name], ["vm", vms.name]]) {
    names.forEach((name, number_) => {
      const at = name.toLowerCase().indexOf(wanted);
      if (at >= 0 && found[at ? 1 : 0].length < most) found[at ? 1 : 0].push({ kind, name, number: number_ });
    });
  }
  const exact = (one) => (one.name.toLowerCase() === wanted ? 0 : 1);
  return [...found[0].sort((a, b) => exact(a) - exact(b)), ...found[1]].slice(0, most);
}
function wireSearch() {
  const box = byId("search"), list = byId("found");
  let found = [], at = 0;
  const close = () => { list.hidden = true; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); };
  const take = (one) => { close(); box.value = one.name; select(one.kind === "host" ? { host: one.number } : { vm: one.number }); };
  const show = () => {
    found = box.value.trim() ? find(box.value.trim(), 12) : [];
    at = Math.min(at, Math.max(found.length - 1, 0));
    if (!box.value.trim()) { close(); return; }
    fill("found", found.length ? found.map((one, place) => el("li", { role: "option", id: `found-${place}`, "aria-selected": String(place === at), onpointerdown: (event) => { event.preventDefault(); take(one); } },
      `${one.name} · ${one.kind === "host" ? "host" : "VM"}`)) : el("li", { class: "none" }, "No host or VM has this in its name."));
    list.hidden = false;
    box.setAttribute("aria-expanded", "true");
    if (found.length) box.setAttribute("aria-activedescendant", `found-${at}`);
  };
  box.addEventListener("input", () => { at = 0; show(); });
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter") { event.preventDefault(); if (list.hidden) show(); if (found[at]) take(found[at]); }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at = Math.min(Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0), Math.max(found.length - 1, 0));
      show();
    }
  });
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light colours" : "Dark colours";
  readColours();
  fillLegends();
  drawTimes();
  gpuLanes.later();
}
function wireControls() {
  const step = (by) => {
    const now = clock.time;
    const next = by > 0 ? moments.find((time) => time > now) : moments.filter((time) => time < now).pop();
    setTime(next === undefined ? (by > 0 ? span : BEFORE) : next);
  };
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("time").addEventListener("input", (event) => { const at = Number(event.target.value); setTime(at ? (at - 1) / (SLIDES - 1) * span : BEFORE); });
  byId("moment").addEventListener("change", (event) => setTime(Number(event.target.value)));
  byId("earlier").addEventListener("click", () => step(-1));
  byId("later").addEventListener("click", () => step(1));
  for (const id of ["which", "domain", "order"]) byId(id).addEventListener("change", setRows);
  byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  const forget = () => { for (const name of Object.keys(selection)) delete selection[name]; tell(); gantt.later(); gpuLanes.later(); };
  byId("detail-close").addEventListener("click", forget);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && event.target !== byId("search")) forget(); });
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
  let before = "light";
  window.addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; setTheme("light"); forPaper(true); gantt.now(); gpuLanes.now(); });
  window.addEventListener("afterprint", () => { setTheme(before); forPaper(false); });
  setTheme(dark.matches ? "dark" : "light");
}

fillControls();
showSummary();
showWaves();
showStuck();
showMaps();
showSteps();
setRows();
if (gantt.rows.length > MANY_ROWS) { byId("rows").value = "dense"; is_dense = true; setRows(); }
wireControls();
wireGantt();
wireStrips();
wireClasses();
wireSearch();
setTime(BEFORE);
document.documentElement.dataset.ready = "yes";
