// What a person sees of it.

const byId = (id) => document.getElementById(id);
const NAMES = { "litert.js": "LiteRT.js", "onnxruntime-web": "ONNX Runtime Web" };
const FIGURES = [
  ["p50", "p50_ms"],
  ["p90", "p90_ms"],
  ["p99", "p99_ms"],
  ["cold start", "cold_ms"],
  ["whole pipeline", "pipeline_p50_ms"],
];

const put = (parent, tag, text, name = "") => {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  parent.append(element);
  return element;
};

export const say = {
  now(text, tone = "") {
    byId("now").textContent = text;
    byId("now").className = tone;
  },
  /** What the worker does, and how many jobs that makes. */
  doing(text, jobs = null) {
    byId("doing").textContent = text;
    if (jobs !== null) byId("bar").value = jobs;
  },
  /** The last word. */
  end(text, tone) {
    say.now(text, tone);
    say.doing("");
    byId("bar").hidden = tone === "bad";
  },
};

/** Draws the list of jobs. */
export function draw(plan, facts) {
  byId("device").textContent = `${plan.device}${facts.webgpu ? `; WebGPU: ${facts.webgpu}` : "; no WebGPU"}`;
  byId("bar").max = plan.jobs.length;
  for (const job of plan.jobs) {
    const item = put(byId("jobs"), "li", "");
    item.id = `job-${job.number}`;
    const line = put(item, "div", "", "line");
    put(line, "h3", plan.artifacts[job.artifact].file);
    put(line, "span", "", "state");
    const on = job.accelerator === "webgpu" ? "WebGPU" : job.threads === 1 ? "1 thread" : `${job.threads} threads`;
    put(item, "p", `${NAMES[job.engine]}, ${on}`, "faint");
    state(job, job.done ? "done" : "waiting", job.done ? "sent" : "waiting");
  }
}

/** Says what this browser cannot do here. */
export function limits(notes) {
  byId("limits").hidden = notes.length === 0;
  for (const note of notes) put(byId("limits"), "li", note);
}

export const show = {
  running(job, plan) {
    say.now(`Measuring ${plan.artifacts[job.artifact].file}. Keep this page open, and the screen on.`);
    byId("bar").value = job.number;
    state(job, "running", "running");
    byId(`job-${job.number}`).scrollIntoView({ block: "nearest" });
  },
  figure(job, figure, verdict) {
    const item = byId(`job-${job.number}`);
    put(item, "p", verdict, "faint");
    const list = put(item, "dl", "");
    for (const [label, key] of FIGURES) {
      if (figure[key] === null || figure[key] === undefined) continue;
      const cell = put(list, "div", "");
      put(cell, "dt", label);
      put(cell, "dd", `${figure[key].toFixed(figure[key] < 10 ? 2 : 1)} ms`);
    }
  },
  done(job) {
    state(job, "done", "done");
    byId("bar").value = job.number + 1;
  },
  failed(job, message) {
    put(state(job, "bad", "not measured"), "p", message);
    byId("bar").value = job.number + 1;
  },
};

function state(job, name, text) {
  const item = byId(`job-${job.number}`);
  item.className = name;
  item.querySelector(".state").textContent = text;
  return item;
}
