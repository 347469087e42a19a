// Summary, waves, steps, and why not: what the pictures show, in words and tables.

function tableOf(caption, columns, rows) {
  const head = el("tr", {}, columns.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)));
  const body = rows.map((cells) => el("tr", {}, cells.map((cell, place) =>
    el(place ? "td" : "th", { class: columns[place][1], scope: place ? null : "row" }, cell))));
  return el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, body));
}

// A table of which a page is shown at a time; all of it on paper, up to a limit.
const PAGE_ROWS = 50, PAPER_ROWS = 1000;
const paged = [];
function pagedTable(box, { caption, columns, count, row }) {
  const state = { page: 0, rows: PAGE_ROWS };
  const show = () => {
    const pages = Math.max(1, Math.ceil(count / state.rows));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const from = state.page * state.rows, to = Math.min(from + state.rows, count), rows = [];
    for (let number_ = from; number_ < to; number_++) rows.push(row(number_));
    const turn = (by) => () => { state.page += by; show(); };
    const pager = count > state.rows || state.rows !== PAGE_ROWS
      ? el("div", { class: "pager" },
        el("button", { type: "button", disabled: state.page === 0, onclick: turn(-1) }, "◀ Before"),
        el("span", {}, `${number(from + 1)} to ${number(to)} of ${number(count)}`),
        el("button", { type: "button", disabled: state.page === pages - 1, onclick: turn(1) }, "Next ▶"))
      : null;
    box.replaceChildren(...[pager, el("div", { class: "scroll" }, tableOf(caption, columns, rows))].filter(Boolean));
  };
  paged.push({ box, state, show });
  show();
}
function forPaper(is_paper) {
  for (const { box, state, show } of paged) {
    if (!box.isConnected) continue;
    state.rows = is_paper ? PAPER_ROWS : PAGE_ROWS;
    show();
  }
}

function link(text, chosen) { return el("button", { type: "button", class: "link", onclick: () => select(chosen, true) }, text); }
function hostLink(name) { return hostNumber.has(name) ? link(name, { host: hostNumber.get(name) }) : name; }
function vmLink(name) { return vmNumber.has(name) ? link(name, { vm: vmNumber.get(name) }) : name; }

function showSummary() {
  const ways = [0, 0, 0, 0];
  let upgrades = 0, pins = 0;
  for (const op of steps.op) { if (op < 4) ways[op]++; else if (op === UPGRADE) upgrades++; else if (op === PIN) pins++; }
  const busy = new Set([...steps.source, ...steps.target]).size;
  const said = [plan.revision === null ? "fleet without a revision" : `fleet revision ${plan.revision}`,
    `${counted(hostCount, "host")}, ${counted(gpus.name.length, "gpu")}, ${counted(vms.name.length, "VM")}`,
    `${counted(stepCount, "step")} on ${counted(busy, "host")}`];
  byId("subtitle").textContent = said.join(" · ");
  const cards = plan.figures.map(([name, value, bound, is_upper, is_time]) => {
    const words = is_time ? duration : number;
    const is_best = value === bound;
    const over = bound > 0 && !is_best ? ` (×${(value / bound).toFixed(value / bound < 1.1 && value > bound ? 3 : 2)})` : "";
    const against = is_best ? "no plan can better it" : `no plan ${is_upper ? "above" : "below"} ${words(bound)}${over}`;
    return card(name, words(value), el("span", { class: is_best ? "bound good" : "bound" }, is_best ? `✓ ${against}` : against));
  });
  const parts = ways.map((count, op) => count ? `${number(count)} ${WAYS[op]}` : "").filter(Boolean);
  cards.push(card("interruptions", number(ways[1] + ways[2] + ways[3]), el("span", { class: "bound" }, parts.join(", ") || "nothing moves")));
  if (upgrades && plan.goal !== "upgrade") cards.push(card("upgrades", number(upgrades), ""));
  if (pins && plan.goal !== "pin") cards.push(card("pins on the way", number(pins), el("span", { class: "bound" }, "each on an empty host")));
  const reasons = tally(plan.stuck.map((row) => row[2]));
  cards.push(card("stuck", number(plan.stuck.length), el("span", { class: plan.stuck.length ? "bound bad" : "bound good" }, plan.stuck.length ? `▲ ${reasons}` : "✓ nobody stays behind")));
  fill("figures", cards);
  showRemarks();
}
function card(name, value, below) { return el("li", {}, el("span", { class: "name" }, name), el("span", { class: "value" }, value), below); }
function tally(words) {
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) || 0) + 1);
  return [...counts].sort().map(([word, count]) => `${number(count)} ${word}`).join(", ");
}
function showRemarks() {
  const parts = [];
  if (plan.left_out.length) {
    parts.push(el("div", { class: "warning" }, el("p", {}, `${counted(plan.left_out.length, "step")} cannot be drawn: the fleet lacks what they name.`), listOf(plan.left_out)));
  }
  if (plan.notes.length) parts.push(el("div", { class: "note" }, listOf(plan.notes)));
  if (plan.remarks.length) {
    const box = el("div", { class: "warning" });
    pagedTable(box, { caption: `${counted(plan.remarks.length, "promise")} that this plan breaks`, columns: [["step", "number"], ["kind", "name"], ["what is wrong", ""]],
      count: plan.remarks.length, row: (number_) => { const [step, kind, text] = plan.remarks[number_]; return [step === null ? "plan" : number(step), kind, text]; } });
    parts.push(box);
  }
  fill("remarks", parts);
}
function listOf(texts) { return el("ul", {}, texts.slice(0, 20).map((text) => el("li", {}, text)), texts.length > 20 ? el("li", {}, `and ${number(texts.length - 20)} more`) : null); }

const waves = new Map();
for (let step = 0; step < stepCount; step++) {
  const wave = steps.wave[step], op = steps.op[step];
  if (!waves.has(wave)) waves.set(wave, { ways: [0, 0, 0, 0, 0, 0, 0], hosts: [], start: Infinity, end: 0 });
  const found = waves.get(wave);
  found.ways[op]++;
  if (op === UPGRADE) found.hosts.push(steps.source[step]);
  found.start = Math.min(found.start, steps.start[step]);
  found.end = Math.max(found.end, steps.end[step]);
}
const waveList = [...waves].sort((a, b) => a[0] - b[0]);

function showWaves() {
  if (!waveList.length) { fill("waves-table", el("p", {}, "The plan has no step.")); return; }
  const used = [0, 1, 2, 3, 5, 6].filter((op) => waveList.some(([, wave]) => wave.ways[op]));
  const columns = [["wave", "number"], ["upgrades", "number"], ...used.map((op) => [op < 4 ? `moved ${WAYS[op]}` : op === PIN ? "pins" : "pins lifted", "number"]), ["from", "number"], ["until", "number"], ["hosts upgraded", ""]];
  const rows = waveList.map(([wave, found]) => [
    el("button", { type: "button", class: "link", title: "Show the gpus at its end", onclick: () => setTime(found.end) }, number(wave)),
    number(found.hosts.length), ...used.map((op) => number(found.ways[op])), duration(found.start), duration(found.end),
    el("span", {}, found.hosts.slice(0, 8).flatMap((host, place) => [place ? ", " : null, hostLink(hosts.name[host])]), found.hosts.length > 8 ? ` and ${number(found.hosts.length - 8)} more` : null, found.hosts.length ? null : "none")]);
  fill("waves-table", tableOf("A wave's number sets the time to its end", columns, rows));
}

function showStuck() {
  if (!plan.stuck.length) { fill("stuck-table", el("p", {}, "Nobody is stuck: every VM and host that the plan is for has its step.")); return; }
  pagedTable(byId("stuck-table"), {
    caption: `${number(plan.stuck.length)} stuck: ${tally(plan.stuck.map((row) => row[2]))}`,
    columns: [["VM", "name"], ["host", "name"], ["reason", "name"], ["what stands in the way", ""], ["what would help", ""]],
    count: plan.stuck.length,
    row(number_) {
      const [vm, host, reason, evidence, remedies] = plan.stuck[number_];
      return [vm ? vmLink(vm) : "the host itself", hostLink(host), reason, evidence.length ? el("ul", { class: "why" }, evidence.map((piece) => evidenceOf(plan.evidence[piece]))) : "–",
        remedies.length > 1 ? el("ul", { class: "or" }, remedies.map((remedy) => el("li", {}, plan.remedies[remedy]))) : remedies.map((remedy) => plan.remedies[remedy]).join("")];
    },
  });
}
function evidenceOf([rule, seen, basis, source, , by]) {
  return el("li", {}, el("b", {}, rule), el("span", { class: "seen" }, seen.map(([name, value]) => `${name}: ${value}`).join("; ")),
    basis === "fleet" ? null : el("span", { class: "source" }, `${basis}: ${source}`), by ? el("span", { class: "source" }, `set by ${by}`) : null);
}

const STEP_COLUMNS = [["step", "number"], ["wave", "number"], ["what", "name"], ["VM", "name"], ["from", "name"], ["to", "name"], ["start", "number"], ["end", "number"], ["waits for", ""]];
function stepRow(step) {
  const after = steps.after[step], words = steps.words[step];
  return [number(steps.id[step]), number(steps.wave[step]), words ? `${WAYS[steps.op[step]]} ${words}` : WAYS[steps.op[step]],
    steps.vm[step] < 0 ? "–" : vmLink(vms.name[steps.vm[step]]), hostLink(hosts.name[steps.source[step]]),
    steps.vm[step] < 0 ? "–" : hostLink(hosts.name[steps.target[step]]), duration(steps.start[step]), duration(steps.end[step]),
    after.length > 12 ? `${after.slice(0, 12).join(", ")} and ${after.length - 12} more` : after.join(", ") || "–"];
}
function showSteps() {
  if (!stepCount) { fill("steps-table", el("p", {}, "None.")); return; }
  const sorted = Array.from({ length: stepCount }, (_, step) => step).sort((a, b) => steps.start[a] - steps.start[b] || a - b);
  pagedTable(byId("steps-table"), { caption: `${counted(stepCount, "step")} in the order of time`, columns: STEP_COLUMNS, count: stepCount, row: (number_) => stepRow(sorted[number_]) });
}

// What was chosen, told in the panel.
function tellVm(vm) {
  const own = stepsOfVm.get(vm) || [], there = (staysOfVm.get(vm) || []).filter((stay) => isThere(stay, clock.time));
  const stuck = plan.stuck.findIndex((row) => row[0] === vms.name[vm]);
  const facts = [["state", vms.state[vm]], ["guest driver", vms.guest[vm] || "not known"], ["its owner allows", statesSaid(vms.allow[vm])],
    ["before the plan on", vms.host[vm] < 0 ? "no host" : hosts.name[vms.host[vm]]],
    [momentSaid(clock.time), there.map((stay) => `${types.name[stays.type[stay]]} on ${gpus.name[stays.gpu[stay]]}${gpus.kind[stays.gpu[stay]] === 1 ? ` at ${stays.at[stay]} GiB` : ""}${isArriving(stay, clock.time) ? ", arriving" : isLeaving(stay, clock.time) ? ", leaving" : ""}`).join("; ") || "holds no vgpu"]];
  if (stuck >= 0) facts.push(["stuck", plan.stuck[stuck][2]]);
  return [`VM ${vms.name[vm]}`, factTable(facts), own.length ? smallSteps(own) : el("p", {}, "No step moves it.")];
}
function tellHost(host) {
  const changed = (before, after) => before === after ? before : `${before} → ${after}`;
  const facts = [["domain", hosts.domain[host]], ["driver", changed(hosts.driver[host], hosts.driver_after[host])], ["range in force", changed(hosts.range[host], hosts.range_after[host])],
    ["schedulable", hosts.closed[host] ? "no" : "yes"], ["vGPU Manager", hosts.manager[host] ? "yes" : "no"], ["stuck", stuckOfHost.has(host) ? number(stuckOfHost.get(host).length) : "nobody"]];
  const rows = [];
  for (let gpu = firstGpu[host]; gpu < firstGpu[host + 1]; gpu++) {
    const now = staysAt(gpu, clock.time);
    rows.push([gpus.name[gpu], captionOf(gpu, now), now.length ? el("span", {}, now.slice(0, 48).flatMap((stay, place) => [place ? ", " : null, vmLink(vms.name[stays.vm[stay]])])) : "–"]);
  }
  const own = stepsOfHost[host];
  return [`Host ${hosts.name[host]}`, factTable(facts), own.length ? smallSteps(own) : el("p", {}, "No step concerns it."),
    tableOf(`Its gpus ${momentSaid(clock.time)}`, [["gpu", "name"], ["", "name"], ["VMs", ""]], rows)];
}
function factTable(facts) { return el("table", {}, el("tbody", {}, facts.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value))))); }
function smallSteps(own) {
  const rows = own.slice(0, 200).map((step) => [number(steps.id[step]), stepSaid(step), duration(steps.start[step]), duration(steps.end[step])]);
  return tableOf(`${counted(own.length, "step")}${own.length > 200 ? ", the first 200" : ""}`, [["step", "number"], ["what", ""], ["from", "number"], ["until", "number"]], rows);
}
