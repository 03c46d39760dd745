// LiteRT.js behind the three functions that worker.js calls: load, open, run.
//
// The package's own CompiledModel takes float32, int32 and uint8 tensors only and refuses an int8 model; the bindings
// below it (`liteRtWasm`, declared in its types) take any. So it loads the engine, and the tensors are moved here.

const TYPES = { float32: 1, uint8: 3, int8: 9 }; // ElementType of its types

/**
 * Loads the engine, once a worker.
 *
 * @param {{threads: number, accelerator: string}} job
 * @param {string} folder where the engine lies, as an address that ends in a slash
 */
export async function load(job, folder) {
  const programs = `${folder}wasm/`;
  // The loader reads this. In a worker it would take the worker's own script for its threads'. The engine writes each
  // of its steps to the console as an error; the last real one is worth more than the bare number that it throws.
  const words = { last: "" };
  self.Module = {
    printErr: (line) => {
      if (line.startsWith("ERROR")) words.last = line.replace(/^ERROR:\s*(\[[^\]]*\]\s*)?/, "");
    },
    locateFile: (name) => programs + name,
    mainScriptUrlOrBlob: `${programs}litert_wasm_threaded_internal.js`,
  };
  const library = await import(`${folder}index.js`);
  const gpu = job.accelerator === "webgpu";
  const runtime = await library.loadLiteRt(`${folder}wasm`, {
    threads: job.threads > 1,
    jspi: gpu && "Suspending" in WebAssembly,
  });
  if (gpu && !runtime.getWebGpuDevice()) throw new Error("WebGPU gave no device");
  return new Engine(runtime, job, words);
}

class Engine {
  constructor(runtime, job, words) {
    this.words = words;
    this.wasm = runtime.liteRtWasm;
    this.environment = runtime.getDefaultEnvironment();
    this.job = job;
  }

  /** Loads and compiles a model (Uint8Array), whose tensors must be those of the job. */
  async open(model) {
    const { wasm, environment, job } = this;
    const at = wasm._malloc(model.length);
    wasm.HEAPU8.set(model, at);
    let loaded;
    try {
      loaded = wasm.loadModel(environment.liteRtEnvironment, at, model.length);
      this.compiled = await wasm.compileModel(environment.liteRtEnvironment, loaded, {
        environment,
        accelerator: job.accelerator === "webgpu" ? "webgpu" : "wasm",
        cpuOptions: { numThreads: job.threads },
        gpuOptions: { precision: "fp32" },
        webNNOptions: {},
      });
    } catch (error) {
      throw new Error(this.words.last || error.message || `it threw ${error}`);
    }
    if (job.accelerator === "webgpu" && !this.compiled.isFullyAccelerated()) {
      throw new Error("WebGPU cannot run every operation of this model");
    }
    const signature = this.signature(loaded);
    const names = vector(loaded.getSignature(signature).outputNames());
    this.outputs = names.map((name, index) => {
      const spec = job.outputs.find((output) => output.name === name);
      if (!spec) throw new Error(`the model has an output ${name}, which its manifest does not name`);
      agree(name, loaded.getOutputTensorType(signature, index), spec);
      return spec;
    });
    if (names.length !== job.outputs.length) throw new Error(`the model has ${names.length} outputs`);
    const type = loaded.getInputTensorType(signature, 0);
    agree(job.input.name, type, job.input);
    const host = wasm.LiteRtTensorBufferType.HOST_MEMORY;
    if (!this.takes(this.compiled.getInputBufferRequirements(signature, 0), host)) {
      throw new Error(`${job.accelerator} takes no ${job.input.dtype} input from memory`);
    }
    this.input = wasm.LiteRtTensorBuffer.createManaged(environment.liteRtEnvironment, host, type, type.bytes());
    this.index = signature;
  }

  signature(loaded) {
    const count = loaded.getNumSignatures();
    for (let index = 0; index < count; index += 1) {
      if (loaded.getSignature(index).key() === "serving_default") return index;
    }
    return 0;
  }

  takes(requirements, kind) {
    return vector(requirements.supportedTypes()).some(({ value }) => value === kind.value);
  }

  /** Runs the model on a tensor's bytes (Uint8Array); gives the bytes of each output, by name. */
  async run(tensor) {
    const { wasm } = this;
    const { READ, WRITE } = wasm.LiteRtTensorBufferLockMode;
    const target = this.input.lock(WRITE);
    wasm.HEAPU8.set(tensor, target);
    this.input.unlock();
    const answer = this.compiled.run(this.index, [this.input]);
    const buffers = answer instanceof Promise ? await answer : answer;
    const outputs = {};
    buffers.forEach((buffer, index) => {
      const source = buffer.lock(READ);
      const end = source + buffer.packedSize();
      outputs[this.outputs[index].name] = wasm.HEAPU8.slice(source, end);
      buffer.unlock();
      buffer.delete();
    });
    return outputs;
  }

  /** Bytes of memory that the engine has taken by now; it never gives any back. */
  memory() {
    return this.wasm.HEAPU8.buffer.byteLength;
  }
}

function agree(name, type, spec) {
  const layout = type.layout();
  const shape = vector(layout.dimensions());
  const kind = type.elementType().value;
  if (kind !== TYPES[spec.dtype] || shape.join() !== spec.shape.join()) {
    const found = `of type ${kind} and shape ${shape}`;
    throw new Error(`tensor ${name} is ${found}; its manifest says ${spec.dtype} ${spec.shape}`);
  }
}

function vector(list) {
  return Array.from({ length: list.size() }, (_, index) => list.get(index));
}
