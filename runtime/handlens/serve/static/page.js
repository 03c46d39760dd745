// Wires the page: one request at a time, the live picture pauses while the door decides.

import * as api from "./api.js";
import { clear, draw, words } from "./draw.js";
import * as source from "./source.js";

const $ = (id) => document.querySelector(`#${id}`);
const PAUSE = 200; // milliseconds between two live detections

let limits = { upload_bytes: 16 * 2 ** 20, pixels: 25e6, images: 10 };
let hasDoor = null; // unknown until the server has told
let busy = false;
let shots = []; // { blob, url }

function say(element, text) {
  if (element.textContent !== text) element.textContent = text; // a live region speaks on every change
}

function tell(kind, title, text = "") {
  const result = $("result");
  result.className = kind;
  const strong = document.createElement("strong");
  strong.textContent = title;
  result.replaceChildren(strong, text);
}

// The server's words are clauses; here they stand alone.
function sentence(text) {
  const trimmed = text.trim();
  return trimmed && `${trimmed[0].toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? "" : "."}`;
}

function inWords(error) {
  if (error.status === 401) return "This server asks for its token.";
  const wait = error.retryAfter ? `Wait ${Math.ceil(error.retryAfter)} seconds.` : "";
  return [sentence(error.message), sentence(error.advice ?? ""), wait].filter(Boolean).join(" ");
}

function refuse(error) {
  if (error.status === 401) askToken();
  tell("bad", "Refused", inWords(error));
}

function askToken() {
  $("token-form").hidden = false;
  $("token").focus();
}

function refresh() {
  const named = $("name").value.trim() !== "";
  const picture = source.ready();
  $("verify").disabled = busy || !named || !picture;
  $("identify").disabled = busy || !picture;
  $("shoot").disabled = busy || !picture || shots.length >= limits.images;
  $("clear").disabled = busy || shots.length === 0;
  $("enrol").disabled = busy || !named || shots.length === 0 || !$("consent").checked;
  $("forget").disabled = busy || !named;
  $("controls").disabled = !hasDoor;
  $("no-door").hidden = hasDoor !== false;
}

function showGates(gates) {
  $("gates-empty").hidden = gates.length > 0;
  $("gates").replaceChildren(
    ...gates.map((gate) => {
      const item = document.createElement("li");
      item.className = gate.passed ? "passed" : "failed";
      item.dataset.gate = gate.gate;
      const mark = document.createElement("span");
      mark.className = "mark";
      mark.textContent = gate.passed ? "✓" : "✗";
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", gate.passed ? "passed" : "not passed");
      const text = document.createElement("span");
      const name = document.createElement("strong");
      name.textContent = sentence(gate.gate).slice(0, -1);
      const said = gate.measured === gate.gate ? "" : gate.measured.replace(`${gate.gate} `, "");
      text.append(name, said && ` · ${said}`);
      if (!gate.passed) {
        const advice = document.createElement("span");
        advice.className = "advice";
        advice.textContent = sentence(gate.advice);
        text.append(advice);
      }
      item.append(mark, text);
      return item;
    }),
  );
}

async function look() {
  if (!source.ready()) return;
  try {
    const live = source.mirrored();
    const found = await api.detect(await source.frame());
    if (live !== source.mirrored()) return; // the source changed meanwhile
    draw(found, live);
    say($("seen"), words(found));
    showGates(found.gates);
  } catch (error) {
    clear();
    showGates([]);
    say($("seen"), inWords(error));
    if (error.status === 401) {
      source.stopCamera();
      cameraStopped();
      askToken();
    }
  }
}

async function live() {
  while (source.running()) {
    if (!busy && !document.hidden) await look();
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function attempt(action) {
  busy = true;
  refresh();
  tell("", "Working …");
  try {
    await action();
  } catch (error) {
    refuse(error);
  } finally {
    busy = false;
    refresh();
  }
}

function decide(decision) {
  const kind = { admitted: "good", person: "ask" }[decision.outcome] ?? "bad";
  const title = {
    admitted: `Admitted: ${decision.name}`,
    person: "A person has to decide",
  }[decision.outcome] ?? "Not admitted";
  tell(kind, title, sentence(decision.reason));
}

function showShots() {
  $("shots").replaceChildren(
    ...shots.map((shot, index) => {
      const item = document.createElement("li");
      const image = document.createElement("img");
      image.src = shot.url;
      image.alt = `Picture ${index + 1}`;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", `Remove picture ${index + 1}`);
      remove.addEventListener("click", () => dropShots(shots.filter((other) => other !== shot)));
      item.append(image, remove);
      return item;
    }),
  );
  refresh();
}

function dropShots(kept) {
  shots.filter((shot) => !kept.includes(shot)).forEach((shot) => URL.revokeObjectURL(shot.url));
  shots = kept;
  showShots();
}

function cameraStopped() {
  $("camera").textContent = "Start the camera";
  source.stopCamera();
  clear();
  if ($("still").hidden) $("empty").hidden = false;
  refresh();
}

async function toggleCamera() {
  if (source.running()) {
    cameraStopped();
    say($("seen"), "The camera is off.");
    return;
  }
  try {
    await source.startCamera(cameraStopped);
  } catch (error) {
    say($("seen"), error.name === "NotAllowedError" ? "The browser was not allowed to use the camera." : error.message);
    return;
  }
  $("camera").textContent = "Stop the camera";
  refresh();
  live();
}

async function start() {
  try {
    const about = await api.models();
    limits = about.limits;
    hasDoor = about.door;
    say($("models"), about.models.map((model) => `${model.name} (${model.recipe}, ${model.engine})`).join(" · "));
    $("token-form").hidden = true;
  } catch (error) {
    say($("models"), inWords(error));
    if (error.status === 401) askToken();
  }
  refresh();
}

$("camera").addEventListener("click", toggleCamera);
$("file").addEventListener("change", async () => {
  const [chosen] = $("file").files;
  if (!chosen) return;
  cameraStopped();
  clear();
  await source.openFile(chosen, limits);
  $("file").value = ""; // the same file may be chosen again
  refresh();
  await look();
});
$("name").addEventListener("input", refresh);
$("name").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !$("verify").disabled) $("verify").click();
});
$("consent").addEventListener("change", refresh);
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.setToken($("token").value.trim());
  $("token").value = "";
  start();
});
$("verify").addEventListener("click", () =>
  attempt(async () => decide(await api.verify($("name").value.trim(), await source.frame()))));
$("identify").addEventListener("click", () => attempt(async () => decide(await api.identify(await source.frame()))));
$("shoot").addEventListener("click", async () => {
  const blob = await source.frame();
  shots.push({ blob, url: URL.createObjectURL(blob) });
  showShots();
});
$("clear").addEventListener("click", () => dropShots([]));
$("enrol").addEventListener("click", () =>
  attempt(async () => {
    const done = await api.enrol($("name").value.trim(), shots.map((shot) => shot.blob));
    dropShots([]);
    $("consent").checked = false; // each enrolment asks anew
    tell("good", `Enrolled: ${done.name}`, `${done.images} pictures became templates; the pictures are gone.`);
  }));
$("forget").addEventListener("click", () => {
  const name = $("name").value.trim();
  if (!window.confirm(`Delete every template of ${name}?`)) return;
  attempt(async () => {
    await api.forget(name);
    tell("good", `Forgotten: ${name}`, "Their templates are deleted.");
  });
});

start();
