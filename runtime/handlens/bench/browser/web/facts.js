// What this browser is and can do, as far as it tells.

// A WASM module with one function, (v128) -> v128: i32x4.relaxed_trunc_f32x4_s. LiteRT.js has threads only where the
// relaxed SIMD proposal is there.
const RELAXED = [
  [0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  [1, 6, 1, 96, 1, 123, 1, 123], // types
  [3, 2, 1, 0], // functions
  [10, 9, 1, 7, 0, 32, 0, 253, 129, 2, 11], // code: local.get 0, the instruction, end
].flat();

export async function facts() {
  const [webgpu, software] = await gpu();
  return {
    agent: navigator.userAgent.slice(0, 400),
    ...(await named()),
    cores: navigator.hardwareConcurrency || 1,
    isolated: self.crossOriginIsolated === true,
    secure: self.isSecureContext,
    relaxed_simd: WebAssembly.validate(Uint8Array.from(RELAXED)),
    webgpu,
    webgpu_software: software,
  };
}

async function named() {
  try {
    const told = await navigator.userAgentData.getHighEntropyValues(["model", "platformVersion"]);
    return { platform: `${told.platform} ${told.platformVersion}`.slice(0, 60), phone: told.model.slice(0, 60) };
  } catch {
    return { platform: "", phone: "" };
  }
}

async function gpu() {
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return [null, false];
    const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
    const words = [vendor, architecture, description].filter(Boolean).join(" ").slice(0, 120) || "unnamed";
    return [words, isFallbackAdapter === true || /swiftshader|llvmpipe/i.test(words)];
  } catch {
    return [null, false];
  }
}
