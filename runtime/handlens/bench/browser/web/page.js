// The page: takes the address's token, asks what to measure, lets a worker measure it, and sends the figures back.

import { Lost, Refused, bytes, claim, forget, get, known, packed, post } from "./ask.js";
import { facts } from "./facts.js";
import { draw, limits, say, show } from "./view.js";

const BEAT_MS = 5000;
let doing = "";
let hidden = false;

/** A worker for one job: `ask` it one order after the other, then `end` it. */
function employ(told) {
  const worker = new Worker("/page/worker.js");
  let settle = null;
  worker.onmessage = ({ data }) => {
    if ("answer" in data) settle.resolve(data.answer);
    else if ("error" in data) settle.reject(Object.assign(new Error(data.error), { changed: data.changed }));
    else told(data);
  };
  worker.onerror = (event) => settle?.reject(new Error(event.message || "the worker did not start"));
  return {
    ask: (order, data = {}) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject };
        worker.postMessage({ order, ...data });
      }),
    end: () => worker.terminate(),
  };
}

const allPacked = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, packed(array)]));

async function measure(plan, job) {
  const sent = [];
  const artifact = plan.artifacts[job.artifact];
  const orders = ["model", ...(artifact.picture ? ["pipeline"] : []), ...(plan.sustained_minutes ? ["sustain"] : [])];
  let order = 0;
  const worker = employ(({ progress, part, moment }) => {
    if (progress) {
      doing = progress;
      say.doing(progress, job.number + (order + part) / orders.length);
    }
    if (moment) sent.push(post("moment", { job: job.number, ...moment, times: packed(moment.times) }));
  });
  hidden = document.hidden;
  try {
    say.doing("loading");
    const model = await bytes(`model/${job.artifact}`);
    const inputs = await Promise.all(artifact.goldens.map((_, index) => bytes(`golden/${job.artifact}/${index}`)));
    const engines = new URL(plan.engines, location.href).href;
    const opened = await worker.ask("open", { job: { ...artifact, ...job }, model, inputs, engines });
    const outputs = opened.outputs.map(allPacked);
    const verdict = await post("answers", { job: job.number, outputs });
    if (!verdict.right) return failed(job, verdict);
    const counts = { runs: plan.runs, warmup: plan.warmup };
    const alone = await worker.ask("model", counts);
    let whole = null;
    if (artifact.picture) {
      const picture = await bytes(`picture/${job.artifact}`);
      const table = await bytes(`table/${job.artifact}`);
      order += 1;
      whole = await worker.ask("pipeline", { picture, table, ...counts });
    }
    const figure = await post("figure", {
      job: job.number,
      cold_ms: opened.cold,
      first_ms: opened.first,
      model: packed(alone.times),
      pipeline: whole ? packed(whole.times) : null,
      parts: allPacked(whole?.parts ?? {}),
      wasm_bytes: alone.memory,
      clock_step_ms: alone.step,
      hidden,
    });
    show.figure(job, figure, verdict.message);
    if (plan.sustained_minutes) {
      order += 1;
      await worker.ask("sustain", { minutes: plan.sustained_minutes, span: plan.span_s });
    }
    await Promise.all(sent);
    show.done(job);
  } catch (error) {
    if (error instanceof Refused || error instanceof Lost) throw error;
    // When a page is loaded again, what its worker was fetching fails first. That is no trouble of the model's.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const trouble = { message: String(error.message).slice(0, 500), changed: error.changed === true };
    failed(job, await post("trouble", { job: job.number, ...trouble }));
  } finally {
    worker.end();
  }
}

function failed(job, { message, stop }) {
  show.failed(job, message);
  if (stop) throw new Refused(message);
}

async function begin() {
  const token = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  const here = await facts();
  if (token) await claim(token, here);
  else if (!known()) throw new Refused("This page needs the whole address that handlens shows, with the part after #.");
  const plan = await get("plan");
  draw(plan, here);
  limits(plan.notes);
  return plan;
}

async function run() {
  const plan = await begin();
  navigator.wakeLock?.request("screen").catch(() => {});
  addEventListener("visibilitychange", () => {
    hidden ||= document.hidden;
  });
  addEventListener("pagehide", () => post("beat", { doing: "", leaving: true }, { keepalive: true }).catch(() => {}));
  const beats = setInterval(() => post("beat", { doing, leaving: false }).catch(() => {}), BEAT_MS);
  try {
    for (const job of plan.jobs) {
      if (job.done) continue;
      show.running(job, plan);
      await measure(plan, job);
    }
  } finally {
    clearInterval(beats);
  }
  forget();
  say.end("Done. The figures are with the handlens that asked for them; you can close this page.", "good");
}

run().catch((error) => {
  if (error instanceof Lost) {
    say.end("handlens does not answer: it has ended, or the network is gone. Load this page again to go on.", "bad");
  } else {
    forget();
    say.end(error.message, "bad");
  }
});
